/// The last values of evenly spaced steps, and of which steps they are.
///
/// What was not measured is NaN. A clock that is set back takes back the values of the steps that come again.
public struct StepValues: Hashable, Sendable {
    public let capacity: Int
    /// The step after the last value, in steps since 1970.
    public private(set) var end: Int64 = 0
    private var ring: [Float] = []
    /// The place of the oldest value, once the ring is full.
    private var oldest = 0

    public init(capacity: Int) {
        precondition(capacity > 0, "\(capacity)")
        self.capacity = capacity
    }

    public var count: Int { ring.count }
    /// The first step that is kept.
    public var start: Int64 { end - Int64(ring.count) }
    /// Oldest first.
    public var all: [Float] { Array(ring[oldest...] + ring[..<oldest]) }
    public var bytes: Int { ring.capacity * MemoryLayout<Float>.stride }

    /// NaN for a step that is not kept.
    public subscript(index: Int64) -> Float {
        let back = end - index
        guard back > 0, back <= Int64(ring.count) else { return .nan }
        let place = oldest + ring.count - Int(back)
        return ring[place >= ring.count ? place - ring.count : place]
    }

    /// Takes the value of a step; steps between the last one and this are gaps.
    public mutating func set(_ index: Int64, _ value: Float) {
        if !ring.isEmpty, index < end {
            let kept = all.dropLast(Int(min(end - index, Int64(ring.count))))
            ring = Array(kept)
            oldest = 0
        } else if !ring.isEmpty, index - end >= Int64(capacity) {
            ring = []
            oldest = 0
        } else if !ring.isEmpty {
            for _ in end..<index { append(.nan) }
        }
        append(value)
        end = index + 1
    }

    /// What was before, as far as there is room: values of the steps that end with the first one that is here.
    public mutating func put(before values: some BidirectionalCollection<Float>) {
        let joined = values.suffix(max(0, capacity - ring.count)) + all
        ring = Array(joined)
        oldest = 0
    }

    /// What came after: of the steps of the other one that are later than the last one here.
    public mutating func put(after other: StepValues) {
        for (offset, value) in other.all.enumerated() where ring.isEmpty || other.start + Int64(offset) >= end {
            set(other.start + Int64(offset), value)
        }
    }

    private mutating func append(_ value: Float) {
        if ring.count < capacity {
            ring.append(value)
        } else {
            ring[oldest] = value
            oldest = oldest + 1 == capacity ? 0 : oldest + 1
        }
    }
}
