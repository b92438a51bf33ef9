import NetworkTypes
import Topology

/// What links carry, once a second: `event: rates` of `GET /v1/events`.
public struct RatesEventReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    public var epoch: UInt64
    /// All communication, each counted once.
    public var total: LoadReport
    /// Those that moved by more than a fiftieth since the event before, or ended.
    public var loads: [KeyedLoad]

    /// A load beside the key of its link, in one object.
    public struct KeyedLoad: Codable, Hashable, Sendable {
        public var key: String
        public var load: LoadReport

        private enum CodingKeys: String, CodingKey { case key }

        public init(key: String, load: LoadReport) {
            self.key = key
            self.load = load
        }

        public init(from decoder: any Decoder) throws {
            key = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .key)
            load = try LoadReport(from: decoder)
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(key, forKey: .key)
            try load.encode(to: encoder)
        }
    }
}

/// Remembers what one client was told, so that only what moved is told again.
public struct RatesMemory: Sendable {
    /// The network that the client asked for.
    private let network: NetworkKey?
    private var told: [String: Double] = [:]

    public init(network: NetworkKey? = nil) { self.network = network }

    /// The first one has all that are not idle.
    public mutating func event(_ teller: TopologyTeller) -> RatesEventReport {
        let snapshot = teller.snapshot
        var total = LoadReport()
        total.add(LoadReport())
        var moving: [String: (link: LinkID, bits: Double)] = [:]
        func take(_ link: LinkID, _ kind: LinkKind) {
            if let network, !teller.networks(of: link).contains(network) { return }
            guard let load = teller.rates(of: link), load.bothBitsPerSecond > 0 else { return }
            if kind == .talks { total.add(load) }
            moving[snapshot.key(of: link).description] = (link, load.bothBitsPerSecond)
        }
        if snapshot.epoch == snapshot.trafficEpoch {
            for link in snapshot.active { take(link, snapshot.kind(of: link)) }
        } else {
            snapshot.forEachLink { link, kind, _, _ in if kind.isTraffic { take(link, kind) } }
        }
        for link in teller.countedLinks { take(link, snapshot.kind(of: link)) }
        var loads: [RatesEventReport.KeyedLoad] = []
        for (key, (link, now)) in moving {
            let before = told[key] ?? 0
            guard abs(now - before) > 0.02 * max(now, before), let load = teller.load(of: link) else { continue }
            told[key] = now
            loads.append(RatesEventReport.KeyedLoad(key: key, load: load))
        }
        for key in Array(told.keys) where moving[key] == nil {
            told[key] = nil
            var silence = LinkKey(key).flatMap { snapshot.id(of: $0) }.flatMap { teller.load(of: $0) } ?? LoadReport()
            silence.add(LoadReport())
            loads.append(RatesEventReport.KeyedLoad(key: key, load: silence))
        }
        loads.sort { $0.key < $1.key }
        return RatesEventReport(at: "\(snapshot.time)", epoch: snapshot.epoch, total: total, loads: loads)
    }
}
