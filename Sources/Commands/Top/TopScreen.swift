import CCurses
import Glibc
import Terminal

/// The terminal as ncurses has it: draws lines, reads keys, and gives the terminal back whatever happens.
///
/// One at a time and on one thread, as ncurses wants it.
struct TopScreen: ~Copyable {
    private let hasColor: Bool
    private let isUTF8: Bool

    init(color: Bool) throws(CommandFailure) {
        setlocale(LC_ALL, "")
        // Without a word about the locale the terminal is still most likely one of UTF-8.
        let isUnsaid = ["LC_ALL", "LC_CTYPE", "LANG"].allSatisfy { (name: String) in getenv(name).map { $0.pointee == 0 } ?? true }
        if nilo_curses_utf8() == 0, isUnsaid { setlocale(LC_CTYPE, "C.UTF-8") }
        isUTF8 = nilo_curses_utf8() == 1
        guard nilo_curses_open() == 0 else {
            let type = getenv("TERM").map { String(cString: $0) } ?? ""
            throw CommandFailure(
                "top", "nothing is known of the terminal \"\(TerminalText.printable(type))\"", hint: "set TERM, or use: nilo flows --follow"
            )
        }
        hasColor = color && nilo_curses_colors() == 1
    }

    deinit { nilo_curses_leave() }

    var width: Int { Int(nilo_curses_columns()) }
    var height: Int { Int(nilo_curses_rows()) }

    func draw(_ lines: [StyledLine]) {
        nilo_curses_erase()
        for (row, line) in lines.enumerated() {
            nilo_curses_move(Int32(row), 0)
            for span in line.spans {
                let (style, color) = Self.attributes(span.style)
                nilo_curses_text(isUTF8 ? span.text : Self.ascii(span.text), style, hasColor ? color : 0)
            }
        }
        nilo_curses_refresh()
    }

    private static func attributes(_ style: TextStyle?) -> (UInt32, Int16) {
        switch style {
        case nil: (0, 0)
        case .bold: (NILO_STYLE_BOLD.rawValue, 0)
        case .dim: (NILO_STYLE_DIM.rawValue, 0)
        case .reverse: (NILO_STYLE_REVERSE.rawValue, 0)
        case .red: (NILO_STYLE_BOLD.rawValue, Int16(COLOR_RED))
        case .green: (0, Int16(COLOR_GREEN))
        case .yellow: (0, Int16(COLOR_YELLOW))
        case .blue: (0, Int16(COLOR_CYAN))
        }
    }

    /// For terminals of another encoding.
    static func ascii(_ text: String) -> String {
        let blocks = Array(" .:-=+*#")
        return String(
            text.map { character in
                if character.isASCII { return character }
                if let scalar = character.unicodeScalars.first, (0x2581...0x2588).contains(scalar.value) {
                    return blocks[Int(scalar.value - 0x2581)]
                }
                return ["µ": "u", "…": "~", "▲": "^", "▼": "v"][character] ?? "?"
            })
    }

    enum Event {
        case key(TopKey)
        case resized
    }

    /// The next key that is there; nil: none. Keys without a meaning are passed over.
    func nextEvent() -> Event? {
        while true {
            var code: UInt32 = 0
            switch nilo_curses_key(&code) {
            case NILO_KEY_CHARACTER:
                if let key = Self.key(character: code) { return .key(key) }
            case NILO_KEY_FUNCTION:
                if code == UInt32(KEY_RESIZE) { return .resized }
                if let key = Self.key(function: Int32(bitPattern: code)) { return .key(key) }
            default: return nil
            }
        }
    }

    /// Ctrl-L: what others wrote onto the screen is wiped off.
    private static func key(character code: UInt32) -> TopKey? {
        switch code {
        case 10, 13: return .enter
        case 27: return .escape
        case 8, 127: return .backspace
        case 12:
            nilo_curses_redraw()
            return nil
        case 21: return .erase
        default:
            guard let scalar = Unicode.Scalar(code), scalar.properties.generalCategory != .control else { return nil }
            return .character(Character(scalar))
        }
    }

    private static func key(function code: Int32) -> TopKey? {
        switch code {
        case KEY_UP: .up
        case KEY_DOWN: .down
        case KEY_LEFT: .left
        case KEY_RIGHT: .right
        case KEY_PPAGE: .pageUp
        case KEY_NPAGE: .pageDown
        case KEY_HOME: .home
        case KEY_END: .end
        case KEY_ENTER: .enter
        case KEY_BACKSPACE, KEY_DC: .backspace
        default: nil
        }
    }
}

/// Signals that end the view, and those of a crash: the terminal is given back before.
enum TopSignals {
    /// The signal that asked to end; 0: none.
    static var received: Int32 { EndSignals.received }

    /// - Parameter pipe: woken by a signal; must live as long as the process.
    static func install(_ pipe: WakePipe) {
        EndSignals.install(pipe, [SIGINT, SIGTERM, SIGHUP, SIGQUIT])
        for number in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP] {
            // Not among what a handler may call, but the process is lost anyhow and the person's terminal is not.
            _ = signal(number) { number in
                _ = signal(number, SIG_DFL)
                nilo_curses_close()
                raise(number)
            }
        }
    }

    /// Ends as the signal would have ended the process, for whoever waits for it.
    static func endProcess(by number: Int32) {
        _ = signal(number, SIG_DFL)
        raise(number)
    }
}
