/// Numbers found by the hash of what they stand for: open addressing with linear probing, in shared chunks.
///
/// It holds no keys: the caller says whether a number is the one that it looks for. Order and place of the cells never show.
struct HashIndex: Sendable {
    /// hash << 32 | number + 1; 0: empty.
    private var cells: Chunked<UInt64>
    private var mask: Int
    private(set) var count = 0

    init(capacity: Int = 32) {
        var size = 64
        while size < capacity * 2 { size <<= 1 }
        cells = Chunked(repeating: 0, count: size)
        mask = size - 1
    }

    /// All 64 bits of a hash in the 32 that a cell keeps.
    @inline(__always) static func folded(_ hash: Int) -> UInt32 {
        let bits = UInt64(bitPattern: Int64(hash))
        return UInt32(truncatingIfNeeded: bits ^ bits &>> 32)
    }

    @inline(__always) func find(_ hash: UInt32, where isSame: (UInt32) -> Bool) -> UInt32? {
        var place = Int(hash) & mask
        while true {
            let cell = cells[place]
            if cell == 0 { return nil }
            if UInt32(truncatingIfNeeded: cell &>> 32) == hash {
                let number = UInt32(truncatingIfNeeded: cell) &- 1
                if isSame(number) { return number }
            }
            place = (place &+ 1) & mask
        }
    }

    /// - Precondition: the number is not in the index.
    mutating func insert(_ hash: UInt32, _ number: UInt32) {
        if (count + 1) * 2 > mask + 1 { grow() }
        place(UInt64(hash) << 32 | UInt64(number) + 1)
        count += 1
    }

    /// - Precondition: the number is in the index under that hash.
    mutating func remove(_ hash: UInt32, _ number: UInt32) {
        let wanted = UInt64(hash) << 32 | UInt64(number) + 1
        var gap = Int(hash) & mask
        while cells[gap] != wanted {
            precondition(cells[gap] != 0, "number \(number) is not in the index")
            gap = (gap &+ 1) & mask
        }
        // Close the gap, so that probing never needs tombstones.
        var next = (gap &+ 1) & mask
        while cells[next] != 0 {
            let home = Int(cells[next] &>> 32) & mask
            if (next &- home) & mask >= (next &- gap) & mask {
                cells[gap] = cells[next]
                gap = next
            }
            next = (next &+ 1) & mask
        }
        cells[gap] = 0
        count -= 1
    }

    private mutating func place(_ cell: UInt64) {
        var place = Int(cell &>> 32) & mask
        while cells[place] != 0 { place = (place &+ 1) & mask }
        cells[place] = cell
    }

    private mutating func grow() {
        let old = cells
        let size = (mask + 1) * 2
        mask = size - 1
        cells = Chunked(repeating: 0, count: size)
        for number in 0..<old.count where old[number] != 0 { place(old[number]) }
    }
}
