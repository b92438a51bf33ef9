import CLinux
import Synchronization

/// A list as a JSON document, some rows at a time: what is in memory is the rows as they were read, and the text of a few of them.
final class ListPieces<Row: Sendable>: Sendable {
    private struct State {
        var rows: [Row]
        var next = 0
        var isBegun = false
        var isOver = false
    }

    private let head: ArraySlice<UInt8>
    private let tail: ArraySlice<UInt8>
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
    init(
        _ list: some Encodable, member: String, rows: [Row], memory: ReturnedMemory, text: @escaping @Sendable (Row) throws -> [UInt8]
    ) throws {
        let document = try ControlRoutes.encoded(list)
        // Within a string a quotation mark has a backslash before it: this stands only where the member does.
        let place = Array("\"\(member)\":[]".utf8)
        guard let at = document.indices.first(where: { document[$0...].starts(with: place) }) else {
            preconditionFailure("no empty list \(member) in \(String(decoding: document, as: UTF8.self))")
        }
        head = document[..<(at + place.count - 1)]
        tail = document[(at + place.count - 1)...]
        self.text = text
        self.memory = memory
        state = Mutex(State(rows: rows))
    }

    deinit {
        let count = state.withLock { state in
            defer { state.rows = [] }
            return state.rows.count
        }
        if count > Self.largeCount { memory.wasUsed() }
    }

    func next() throws -> [UInt8]? {
        try state.withLock { state in
            guard !state.isOver else { return nil }
            var piece: [UInt8] = []
            piece.reserveCapacity(Self.pieceSize + 4096)
            if !state.isBegun { piece += head }
            state.isBegun = true
            while state.next < state.rows.count, piece.count < Self.pieceSize {
                if state.next > 0 { piece.append(UInt8(ascii: ",")) }
                piece += try text(state.rows[state.next])
                state.next += 1
            }
            if state.next == state.rows.count {
                piece += tail
                state.isOver = true
            }
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
