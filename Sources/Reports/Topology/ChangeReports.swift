import NetworkTypes
import Topology

/// What is different between two moments: `GET /v1/topology/diff`.
public struct TopologyDifferenceReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var from: String
    public var to: String
    public var changes: [ChangeReport]
    /// Links whose rate around the two moments differs by more than noise, the largest shift first.
    public var traffic: [Shift]
    /// Times in which nobody looked and that one of the two moments is in: of that moment is told what was seen last before it, and no
    /// traffic is compared. nil for none.
    public var gaps: [GapReport]?
    /// RFC 3339; given where the first moment is before it: the changes are those since then.
    public var historyBegins: String?

    public struct Shift: Codable, Hashable, Sendable {
        public var key: String
        public var name: String
        /// bit/s, both directions.
        public var before: Double
        public var after: Double
        /// `tcp/5432`, of communication.
        public var `protocol`: String?
        public var application: String?
        /// Keys of those that the ends are in.
        public var networks: [String]?

        public init(
            key: String, name: String, before: Double, after: Double, protocol: String? = nil, application: String? = nil,
            networks: [String]? = nil
        ) {
            self.protocol = `protocol`
            self.application = application
            self.networks = networks
            self.key = key
            self.name = name
            self.before = before
            self.after = after
        }
    }

    public init(
        from: Timestamp, to: Timestamp, changes: ChangeList, traffic: [Shift] = [], gaps: [GapReport] = [], historyBegins: Timestamp? = nil
    ) {
        self.gaps = gaps.isEmpty ? nil : gaps
        self.historyBegins = historyBegins?.description
        self.from = from.description
        self.to = to.description
        self.changes = changes.changes
        self.traffic = traffic.sorted {
            let (a, b) = (abs($0.after - $0.before), abs($1.after - $1.before))
            return a != b ? a > b : $0.key < $1.key
        }
    }
}

extension TopologyDifferenceReport.Shift {
    /// The mean and the standard deviation of a link's rate over a few steps around a moment, bit/s.
    public struct Level: Hashable, Sendable {
        public var mean: Double
        public var deviation: Double
        /// How many steps there were.
        public var count: Int

        public init(_ values: [Double]) {
            count = values.count
            mean = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
            let (sum, middle) = (values.count, mean)
            deviation = sum < 2 ? 0 : (values.reduce(0) { $0 + ($1 - middle) * ($1 - middle) } / Double(sum - 1)).squareRoot()
        }
    }

    /// nil where the two levels differ by no more than noise: three standard errors of their difference (Welch), a tenth of the larger, and
    /// 1 kb/s.
    public init?(key: LinkKey, before: Level, after: Level) {
        func error(_ level: Level) -> Double { level.count == 0 ? 0 : level.deviation * level.deviation / Double(level.count) }
        let noise = 3 * (error(before) + error(after)).squareRoot()
        let shift = abs(after.mean - before.mean)
        guard shift > max(noise, 0.1 * max(before.mean, after.mean), 1000) else { return nil }
        self.init(key: key.description, name: key.title, before: before.mean, after: after.mean)
        if case .flow(let transport, let port, let application) = key.qualifier {
            self.protocol = port == 0 ? "\(transport)" : "\(transport)/\(port)"
            self.application = application
        }
        let networks = [key.a, key.b].compactMap(\.homeNetwork).map { NodeKey.network($0).description }
        self.networks = networks.isEmpty ? nil : networks.first == networks.last ? [networks[0]] : networks
    }
}

/// Changes in a span of time: `GET /v1/topology/history`.
public struct TopologyHistoryReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var from: String
    public var to: String
    /// How many there were; `changes` has the latest of them.
    public var matched: Int
    /// In the order of time, without states.
    public var changes: [ChangeReport]

    /// An entity's state that ended, and the one that began then.
    public struct Turn: Hashable, Sendable {
        public var time: Timestamp
        public var key: EntityKey
        public var before: EntityState?
        public var after: EntityState?

        public init(time: Timestamp, key: EntityKey, before: EntityState?, after: EntityState?) {
            self.time = time
            self.key = key
            self.before = before
            self.after = after
        }
    }

    /// - Parameters:
    ///   - turns: the latest, in any order.
    ///   - matched: how many there were.
    public init(from: Timestamp, to: Timestamp, turns: [Turn], matched: Int) {
        self.from = from.description
        self.to = to.description
        changes = turns.sorted { $0.time != $1.time ? $0.time < $1.time : $0.key.description < $1.key.description }
            .compactMap { ChangeReport(of: $0.key, before: $0.before, after: $0.after, at: $0.time, epoch: nil) }
        self.matched = matched
    }
}

/// Changes as they happen: `event: changes` of `GET /v1/events`.
public struct ChangesEventReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    public var epoch: UInt64
    public var changes: [ChangeReport]

    /// nil when nothing changed that the client asked for.
    public init?(_ list: ChangeList, of snapshot: Snapshot) {
        guard !list.changes.isEmpty else { return nil }
        at = "\(snapshot.time)"
        epoch = snapshot.epoch
        changes = list.changes
    }
}
