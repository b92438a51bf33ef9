/// Ranges of numbers that are taken from a fixed range and given back: classes of an interface, buckets, leaves.
public struct RangeAllocation: Hashable, Sendable {
    /// Rising, not touching each other's inside.
    private var taken: [Range<Int>] = []
    private let all: Range<Int>

    public init(_ all: Range<Int>) { self.all = all }

    /// The lowest `count` numbers that follow each other and are free; nil when there are none.
    public mutating func take(_ count: Int) -> Range<Int>? {
        precondition(count > 0)
        var start = all.lowerBound
        for (i, range) in taken.enumerated() {
            if range.lowerBound - start >= count {
                taken.insert(start..<start + count, at: i)
                return start..<start + count
            }
            start = range.upperBound
        }
        guard all.upperBound - start >= count else { return nil }
        taken.append(start..<start + count)
        return start..<start + count
    }

    /// Takes exactly these; false when one of them is taken already or there is no such number.
    public mutating func take(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty, range.lowerBound >= all.lowerBound, range.upperBound <= all.upperBound,
            !taken.contains(where: { $0.overlaps(range) })
        else { return false }
        taken.insert(range, at: taken.firstIndex { $0.lowerBound > range.lowerBound } ?? taken.count)
        return true
    }

    /// Gives a range back that was taken in one piece.
    public mutating func give(_ range: Range<Int>) {
        guard let i = taken.firstIndex(of: range) else { preconditionFailure("\(range) was not taken") }
        taken.remove(at: i)
    }
}
