import Glibc
import Terminal
import Testing

@Suite struct TerminalTests {
    private static let plain = TerminalOutput(isTerminal: false, width: 0, color: false)

    private static func table() -> Table {
        var table = Table([.init("FLOW", shrinksTo: 6), .init("RATE", right: true), .init("NOTE")])
        table.append(["10.0.0.1:40000 → 10.0.0.2:443", "1.2 Gb/s", "x"])
        table.append(["arp", "12  b/s", ""])
        return table
    }

    @Test func aligned() {
        #expect(
            Self.table().lines(for: Self.plain) == [
                "FLOW                               RATE  NOTE", "10.0.0.1:40000 → 10.0.0.2:443  1.2 Gb/s  x",
                "arp                             12  b/s",
            ])
    }

    @Test(arguments: 1...60) func fitsTheWidth(width: Int) {
        let lines = Self.table().lines(for: TerminalOutput(isTerminal: true, width: width, color: false))
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { TerminalText.width($0) <= width })
        // The number is whole as long as the first column can give way.
        if width >= 22 { #expect(lines[1].contains("1.2 Gb/s")) }
        if width >= 45 { #expect(!lines[1].contains("…")) }
        if (22..<43).contains(width) { #expect(lines[1].contains("…")) }
    }

    @Test func colorAddsNothingButEscapes() {
        var table = Table([.init("A"), .init("B", right: true)])
        table.append([.init("down", .red), .init("1", .green)])
        let colored = table.lines(for: TerminalOutput(isTerminal: true, width: 80, color: true))
        #expect(colored == ["\u{1B}[1mA\u{1B}[0m     \u{1B}[1mB\u{1B}[0m", "\u{1B}[31mdown\u{1B}[0m  \u{1B}[32m1\u{1B}[0m"])
        #expect(table.lines(for: Self.plain) == ["A     B", "down  1"])
    }

    /// A name cannot steer the terminal.
    @Test func namesAreMadePrintable() {
        var table = Table([.init("NAME")])
        table.append(["a\u{1B}[2Jb\nc\u{202E}d"])
        #expect(table.lines(for: Self.plain)[1] == #"a\u001b[2Jb\nc\u202ed"#)
    }

    @Test(arguments: [
        ("abc", 3), ("", 0), ("→", 1), ("漢字", 4), ("e\u{301}", 1), ("é", 1), ("한", 2), ("😀", 2), ("\u{200B}", 0), ("▁█", 2), ("µs", 2),
        ("❤️", 2),
    ]) func widths(text: String, width: Int) {
        #expect(TerminalText.width(text) == width)
    }

    @Test func truncation() {
        #expect(TerminalText.truncated("abcdef", to: 6) == "abcdef")
        #expect(TerminalText.truncated("abcdef", to: 4) == "abc…")
        #expect(TerminalText.truncated("abcdef", to: 1) == "…")
        #expect(TerminalText.truncated("abcdef", to: 0) == "")
        #expect(TerminalText.truncated("漢字漢", to: 4) == "漢…")
        #expect(TerminalText.truncatedHead("abcdef", to: 4) == "…def")
        #expect(TerminalText.padded("漢", to: 4) == "漢  ")
        #expect(TerminalText.padded("7", to: 3, right: true) == "  7")
    }

    @Test func sparkline() {
        #expect(Sparkline.text([0, 1, 2, 3, 4, 5, 6, 7], width: 8) == "▁▂▃▄▅▆▇█")
        #expect(Sparkline.text([7.0], width: 3) == "  █")
        #expect(Sparkline.text([1.0, 2, 3], width: 2) == "▆█")
        #expect(Sparkline.text([0.0, 0], width: 2) == "▁▁")
        #expect(Sparkline.text([0.001, 100], width: 2) == "▂█")
        #expect(Sparkline.text([.nan, -1, .infinity, 5], width: 4) == "▁▁██")
        #expect(Sparkline.text([5.0], width: 1, ceiling: 10) == "▅")
        #expect(Sparkline.text([20.0], width: 1, ceiling: 10) == "█")
        #expect(Sparkline.text([Double](), width: 2) == "  ")
        #expect(Sparkline.text([1.0], width: 0) == "")
    }

    @Test func progress() {
        var line = ProgressLine("build", output: TerminalOutput(isTerminal: true, width: 40, color: false))
        let first = line.update(part: 0.5, note: "compiling a file with a long name")
        #expect(first.hasPrefix("\r\u{1B}[Kbuild [############------------]  50%"))
        #expect(TerminalText.width(String(first.dropFirst(4))) == 39)
        #expect(line.update(part: 0.5, note: "compiling a file with a long name") == "")
        #expect(line.update(part: .nan) == "\r\u{1B}[Kbuild [------------------------]   0%")
        #expect(line.update(part: nil, note: "x") == "\r\u{1B}[Kbuild  x")
        #expect(line.finish("done") == "\r\u{1B}[Kbuild  done\n")
        var silent = ProgressLine("build", output: Self.plain)
        #expect(silent.update(part: 0.5) == "")
        #expect(silent.finish("done") == "build  done\n")
    }

    @Test func detection() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        #expect(TerminalOutput.of(descriptor: ends[1]) { _ in nil } == TerminalOutput(isTerminal: false, width: 0, color: false))
        #expect(TerminalOutput.of(descriptor: ends[1]) { $0 == "COLUMNS" ? "100" : nil }.width == 100)
        #expect(TerminalOutput.of(descriptor: ends[1]) { $0 == "COLUMNS" ? "7" : nil }.width == 0)
        // A pseudo-terminal by hand (pts(4)): posix_openpt(3) and the names of TIOCSPTLCK and TIOCGPTN are hidden from Swift.
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (locked, number): (Int32, UInt32) = (0, 0)
        try #require(master >= 0 && ioctl(master, 0x4004_5431, &locked) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
        let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        try #require(slave >= 0)
        defer {
            close(slave)
            close(master)
        }
        var size = winsize(ws_row: 24, ws_col: 91, ws_xpixel: 0, ws_ypixel: 0)
        try #require(ioctl(slave, UInt(TIOCSWINSZ), &size) == 0)
        #expect(TerminalOutput.of(descriptor: slave) { _ in nil } == TerminalOutput(isTerminal: true, width: 91, color: true))
        #expect(!TerminalOutput.of(descriptor: slave) { $0 == "NO_COLOR" ? "1" : nil }.color)
        #expect(TerminalOutput.of(descriptor: slave) { $0 == "NO_COLOR" ? "" : nil }.color)
        #expect(!TerminalOutput.of(descriptor: slave) { $0 == "TERM" ? "dumb" : nil }.color)
    }
}
