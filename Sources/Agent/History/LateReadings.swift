import NetworkTypes
import Storage

/// Readings that came late: seconds without one, and after them one that has what all of them brought. They are made even, so that no second
/// seems to have had more than there was; what they had together stays.
struct LateReadings: Equatable {
    /// Seconds without a reading that are laid to its lateness; after more the agent was away.
    private static let longest: Int64 = 10

    /// Of each second that a late reading is about: all of them. The one after it is among them, for a reading after a late one is early.
    private let groups: [Int64: ClosedRange<Int64>]

    /// - Parameter seconds: with a reading, since 1970, in order.
    init(_ seconds: [Int64]) {
        var groups: [Int64: ClosedRange<Int64>] = [:]
        var last: Int64?
        for (index, second) in seconds.enumerated() where last.map({ $0 < second }) != false {
            defer { last = max(second, groups[second]?.upperBound ?? second) }
            guard let last, (2...Self.longest).contains(second - last) else { continue }
            let isFollowed = index + 1 < seconds.count && seconds[index + 1] == second + 1
            let group = last + 1...(isFollowed ? second + 1 : second)
            for one in group { groups[one] = group }
        }
        self.groups = groups
    }

    /// Seconds that were measured, those without a reading of their own among them, in order.
    func measured(_ seconds: [Int64]) -> [Int64] { groups.isEmpty ? seconds : Set(seconds).union(groups.keys).sorted() }

    /// What each second had; those that are not in it had nothing.
    func even(_ points: [SeriesPoint]) -> [Int64: Double] {
        var sums: [Int64: Double] = [:]
        for point in points {
            let second = point.second
            guard let group = groups[second] else {
                sums[second, default: 0] += point.total
                continue
            }
            for one in group { sums[one, default: 0] += point.total / Double(group.count) }
        }
        return sums
    }
}

extension SeriesPoint {
    /// In which it begins, since 1970.
    var second: Int64 { start.nanoseconds / 1_000_000_000 }
}
