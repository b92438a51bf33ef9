import Foresight
import NetworkTypes
import Topology

/// Who moved how much in the last minute, to tell what a change consists of.
struct TrafficMemory {
    private struct Second {
        var length: Double
        /// Bytes both ways.
        var talks: [LinkKey: UInt64] = [:]
        var applications: [NodeKey: UInt64] = [:]
    }

    private var seconds: [Second] = []
    private let limit: Int
    /// Conversations of a second that are remembered: the busiest.
    private static let talks = 200
    /// Of each kind.
    private static let told = 3
    /// Parts of the change that are not worth a word.
    private static let least = 0.05

    /// - Parameter seconds: that are remembered.
    init(seconds: Int) { limit = seconds }

    mutating func add(_ loads: TrafficLoads, _ snapshot: Snapshot) {
        var second = Second(length: loads.length / .seconds(1))
        for (link, load) in loads.busiestLinks(Self.talks) where snapshot.kind(of: link) == .talks {
            second.talks[snapshot.key(of: link).withoutApplication, default: 0] += load.bytes
        }
        for (node, load) in loads.applications { second.applications[snapshot.key(of: node)] = load.bytes }
        seconds.append(second)
        if seconds.count > limit { seconds.removeFirst() }
    }

    /// What changed most since it was usual.
    ///
    /// - Parameters:
    ///   - length: seconds of the change so far.
    ///   - usual: bit/s both ways that something had before, by its key; 0 where nothing is known of it.
    func contributors(over length: Int, usual: (String) -> Double) -> [Incident.Contributor] {
        let last = seconds.suffix(max(1, length))
        let time = last.reduce(0) { $0 + $1.length }
        guard time > 0 else { return [] }
        var talks: [LinkKey: Double] = [:]
        var applications: [NodeKey: Double] = [:]
        for second in last {
            for (key, bytes) in second.talks { talks[key, default: 0] += Double(bytes) * 8 / time }
            for (key, bytes) in second.applications { applications[key, default: 0] += Double(bytes) * 8 / time }
        }
        var hosts: [NodeKey: (before: Double, during: Double)] = [:]
        var pairs: [(key: String, before: Double, during: Double)] = []
        for (key, during) in talks {
            let before = usual(key.description)
            pairs.append((key.description, before, during))
            for end in [key.a, key.b] {
                hosts[end, default: (0, 0)].before += before
                hosts[end, default: (0, 0)].during += during
            }
        }
        let whole = pairs.reduce(0) { $0 + abs($1.during - $1.before) }
        guard whole > 0 else { return [] }
        func most(_ kind: String, _ all: [(key: String, before: Double, during: Double)]) -> [Incident.Contributor] {
            let shares = all.map {
                Incident.Contributor(
                    kind: kind, key: $0.key, before: $0.before, during: $0.during, share: min(1, abs($0.during - $0.before) / whole))
            }
            return Array(shares.filter { $0.share >= Self.least }.sorted { ($0.share, $1.key) > ($1.share, $0.key) }.prefix(Self.told))
        }
        return most("conversation", pairs)
            + most("host", hosts.map { ($0.key.description, $0.value.before, $0.value.during) })
            + most("application", applications.map { ($0.key.description, usual($0.key.description), $0.value) })
    }
}
