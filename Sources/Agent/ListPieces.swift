import CLinux
import Synchronization

/// Lists as one JSON document, some rows at a time: what is in memory is the rows as they were read, and the text of a few of them.
final class ListPieces<Row: Sendable>: Sendable {
    /// A member of the document that holds rows.
    struct Section: Sendable {
        var member: String
        var rows: [Row]
    }

    private struct State {
        var rows: [[Row]]
        var section = 0
        var next = 0
        var isBegun = false
        var isOver = false
    }

    /// The document before the first row, between the sections, and after the last row.
    private let frame: [ArraySlice<UInt8>]
    private let text: @Sendable (Row) throws -> [UInt8]
    private let memory: ReturnedMemory
    private let state: Mutex<State>

    /// Rows from which on an answer is worth giving its memory back.
    static var largeCount: Int { 1000 }
    /// Bytes of a piece, beyond which no row is begun.
    private static var pieceSize: Int { 65536 }

    /// - Parameters:
    ///   - list: the document without its rows.
    ///   - member: the name of its member that holds the rows.
    ///   - text: a row as JSON.
    convenience init(
        _ list: some Encodable, member: String, rows: [Row], memory: ReturnedMemory, text: @escaping @Sendable (Row) throws -> [UInt8]
    ) throws {
        try self.init(list, [Section(member: member, rows: rows)], memory: memory, text: text)
    }

    /// - Parameter sections: in the order of the document, which is that of the members' names.
    init(
        _ document: some Encodable, _ sections: [Section], memory: ReturnedMemory, text: @escaping @Sendable (Row) throws -> [UInt8]
    ) throws {
        var rest = try ControlRoutes.encoded(document)[...]
        var frame: [ArraySlice<UInt8>] = []
        for section in sections {
            // Within a string a quotation mark has a backslash before it: this stands only where the member does.
            let place = Array("\"\(section.member)\":[]".utf8)
            guard let at = rest.indices.first(where: { rest[$0...].starts(with: place) }) else {
                preconditionFailure("no empty list \(section.member) in \(String(decoding: rest, as: UTF8.self))")
            }
            frame.append(rest[..<(at + place.count - 1)])
            rest = rest[(at + place.count - 1)...]
        }
        self.frame = frame + [rest]
        self.text = text
        self.memory = memory
        state = Mutex(State(rows: sections.map(\.rows)))
    }

    deinit {
        let count = state.withLock { state in
            defer { state.rows = [] }
            return state.rows.reduce(0) { $0 + $1.count }
        }
        if count > Self.largeCount { memory.wasUsed() }
    }

    func next() throws -> [UInt8]? {
        try state.withLock { state in
            guard !state.isOver else { return nil }
            var piece: [UInt8] = []
            piece.reserveCapacity(Self.pieceSize + 4096)
            if !state.isBegun { piece += frame[0] }
            state.isBegun = true
            while state.section < state.rows.count, piece.count < Self.pieceSize {
                guard state.next < state.rows[state.section].count else {
                    state.section += 1
                    state.next = 0
                    piece += frame[state.section]
                    continue
                }
                if state.next > 0 { piece.append(UInt8(ascii: ",")) }
                piece += try text(state.rows[state.section][state.next])
                state.next += 1
            }
            state.isOver = state.section == state.rows.count
            return piece
        }
    }
}

/// Free memory goes back to the kernel after it was needed for a moment: malloc would keep it.
final class ReturnedMemory: Sendable {
    private let isDue = Atomic(false)

    /// Much was taken, and is let go of. Any thread may call it.
    func wasUsed() { isDue.store(true, ordering: .releasing) }

    /// Call it now and then.
    func giveBack() {
        if isDue.exchange(false, ordering: .acquiringAndReleasing) { lx_return_memory() }
    }
}
