import Topology

/// States by their numbers, ascending: one row of the table `state`. Neighbours in time are alike, so together they compress well.
struct StateBlock {
    private(set) var numbers: [UInt32] = []
    private(set) var ends: [Int] = []
    private(set) var bytes: [UInt8] = []

    init() {}

    var count: Int { numbers.count }

    mutating func append(_ number: UInt32, _ state: some Collection<UInt8>) {
        numbers.append(number)
        bytes.append(contentsOf: state)
        ends.append(bytes.count)
    }

    mutating func append(_ other: StateBlock) { for index in 0..<other.count { append(other.numbers[index], other.state(index)) } }

    func state(_ index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

    /// - Parameter first: the number of the row, that of its first state when it was made.
    func encoded(first: UInt32) -> [UInt8] {
        var writer = ByteWriter(reserving: bytes.count + count * 3 + 8)
        writer.count(count)
        var before = first
        for number in numbers {
            writer.number(UInt64(number - before))
            before = number
        }
        var start = 0
        for end in ends {
            writer.count(end - start)
            start = end
        }
        writer.append(bytes)
        return writer.bytes
    }

    /// nil when it is damaged.
    init?(_ plain: [UInt8], first: UInt32) {
        let isSound = plain.withUnsafeBytes { plain in
            var reader = BlockReader(plain)
            let count = reader.count()
            var number = first
            numbers.reserveCapacity(count)
            ends.reserveCapacity(count)
            for _ in 0..<count {
                number &+= UInt32(truncatingIfNeeded: reader.number())
                numbers.append(number)
            }
            var end = 0
            for _ in 0..<count {
                end += reader.count()
                ends.append(end)
            }
            bytes = Array(reader.slice(end))
            return !reader.isBroken && reader.isAtEnd
        }
        if !isSound { return nil }
    }
}
