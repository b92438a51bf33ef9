import NetworkTypes
import Topology

/// The virtual networks: `GET /v1/networks`.
public struct NetworkListReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    /// By rising key.
    public var networks: [NetworkReport]

    public struct NetworkReport: Codable, Hashable, Sendable {
        public var key: String
        /// `vxlan`, `vlan`, `bridge`, or `prefix` for one that the configuration names.
        public var kind: String
        public var name: String
        public var vni: UInt32?
        public var vlan: UInt16?
        public var prefixes: [String]?
        /// In it: interfaces, endpoints, services.
        public var entities: Int
        public var links: Int
        /// All communication in it, each counted once.
        public var load: LoadReport?
    }

    public init(_ teller: TopologyTeller) {
        let snapshot = teller.snapshot
        var links: [NetworkKey: Int] = [:]
        var loads: [NetworkKey: LoadReport] = [:]
        snapshot.forEachLink { link, kind, _, _ in
            guard snapshot.told(link) != nil else { return }
            let load = kind == .talks ? teller.rates(of: link) : nil
            for network in teller.networks(of: link) {
                links[network, default: 0] += 1
                if let load { loads[network, default: LoadReport()].add(load) }
            }
        }
        var found: [NetworkReport] = []
        snapshot.forEachNode { node, key in
            guard case .network(let network) = key, network.isVirtual else { return }
            var report = NetworkReport(
                key: key.description, kind: network.kind, name: network.name, entities: snapshot.members(of: node).count,
                links: links[network] ?? 0, load: loads[network])
            if case .vni(let vni) = network { report.vni = vni }
            if case .vlan(let vlan, _, _) = network { report.vlan = vlan }
            if case .network(let state) = snapshot.state(of: node), !state.prefixes.isEmpty {
                report.prefixes = state.prefixes.map(\.description)
            }
            found.append(report)
        }
        at = "\(snapshot.time)"
        networks = found.sorted { $0.key < $1.key }
    }
}

extension LoadReport {
    /// Rates alone.
    mutating func add(_ other: LoadReport) {
        bitsPerSecond = (bitsPerSecond ?? 0) + (other.bitsPerSecond ?? 0)
        packetsPerSecond = (packetsPerSecond ?? 0) + (other.packetsPerSecond ?? 0)
        reverseBitsPerSecond = (reverseBitsPerSecond ?? 0) + (other.reverseBitsPerSecond ?? 0)
        reversePacketsPerSecond = (reversePacketsPerSecond ?? 0) + (other.reversePacketsPerSecond ?? 0)
    }
}
