/// An array in chunks that copies share until one of them writes: a copy costs one pointer a chunk, a write after it one chunk.
///
/// A snapshot is a copy of the whole graph; with 10,000 of a million elements changed, plain arrays would copy all of them.
struct Chunked<Element: Sendable>: Sendable {
    private var chunks: ContiguousArray<ContiguousArray<Element>> = []
    private(set) var count = 0
    private let shift: Int
    private let mask: Int

    /// - Parameter shift: a chunk has 2^shift elements. Small ones for what changes here and there, large ones for what grows at its end.
    init(shift: Int = 6) {
        self.shift = shift
        mask = 1 << shift - 1
    }

    init(repeating element: Element, count: Int, shift: Int = 6) {
        self.init(shift: shift)
        let full = ContiguousArray(repeating: element, count: mask + 1)
        chunks = ContiguousArray(repeating: full, count: count >> shift)
        if count & mask != 0 { chunks.append(ContiguousArray(repeating: element, count: count & mask)) }
        self.count = count
    }

    subscript(index: Int) -> Element {
        _read { yield chunks[index &>> shift][index & mask] }
        _modify { yield &chunks[index &>> shift][index & mask] }
    }

    mutating func append(_ element: Element) {
        if count & mask == 0 {
            var chunk = ContiguousArray<Element>()
            chunk.reserveCapacity(mask + 1)
            chunks.append(chunk)
        }
        chunks[chunks.count - 1].append(element)
        count += 1
    }

    /// The index ranges in which this array may differ from another of the same origin: chunks that are not one and the same memory.
    func changedRanges(since other: Chunked) -> [Range<Int>] {
        precondition(shift == other.shift, "chunks of \(shift) and \(other.shift)")
        var ranges: [Range<Int>] = []
        for number in 0..<max(chunks.count, other.chunks.count) {
            if number < chunks.count, number < other.chunks.count {
                let isSame = chunks[number].withUnsafeBufferPointer { mine in
                    other.chunks[number].withUnsafeBufferPointer { $0.baseAddress == mine.baseAddress && $0.count == mine.count }
                }
                if isSame { continue }
            }
            let start = number << shift
            let end = min(start + mask + 1, max(count, other.count))
            if ranges.last?.upperBound == start {
                ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<end
            } else {
                ranges.append(start..<end)
            }
        }
        return ranges
    }
}
