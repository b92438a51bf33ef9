import NetworkTypes
import PathComputation
import TestSupport
import Topology

/// Namespaces joined by wires (veth pairs) with permanent neighbours, so that nobody has to ask for one.
struct PathLab: Sendable {
    struct Wire: Sendable {
        var a: (node: String, name: String)
        var b: (node: String, name: String)
    }
    private(set) var nodes: [String: NetworkNamespace] = [:]
    private(set) var wires: [Wire] = []

    init(_ names: String...) async throws {
        for name in names { nodes[name] = try await NetworkNamespace() }
    }

    subscript(name: String) -> NetworkNamespace { nodes[name]! }

    /// Joins two nodes; the ends get addresses of a /24 of their own (10.NETWORK.0.1 and .2) unless it is nil.
    mutating func join(_ a: String, _ nameA: String, _ b: String, _ nameB: String, network: Int?) async throws {
        wires.append(Wire(a: (a, nameA), b: (b, nameB)))
        let number = wires.count
        func mac(_ end: Int) -> String { "02:00:00:00:\(number < 10 ? "0" : "")\(number):0\(end)" }
        try await self[a].sh(
            "ip link add \(nameA) address \(mac(1)) type veth peer name \(nameB) address \(mac(2)) netns \(self[b].path)")
        for (node, name, own, other) in [(a, nameA, 1, 2), (b, nameB, 2, 1)] {
            var script = "ip link set dev \(name) up\n"
            if let network {
                script += "ip addr add 10.\(network).0.\(own)/24 dev \(name)\n"
                script += "ip neigh replace 10.\(network).0.\(other) lladdr \(mac(other)) dev \(name) nud permanent\n"
            }
            try await self[node].sh(script)
        }
    }

    /// What the kernels hold now.
    func read(underlays: [String: [String: String]] = [:]) async throws -> NetworkState {
        var state = NetworkState()
        for (name, namespace) in nodes {
            var reader = KernelReader(namespace: namespace, name: name)
            reader.underlays = underlays[name] ?? [:]
            state.namespaces[name] = try await reader.read()
        }
        for wire in wires {
            guard let a = state.namespaces[wire.a.node]?.link(named: wire.a.name)?.index,
                let b = state.namespaces[wire.b.node]?.link(named: wire.b.name)?.index
            else { continue }
            state.namespaces[wire.a.node]?.links[a]?.kind = .veth(peer: LinkPlace(namespace: wire.b.node, interface: b))
            state.namespaces[wire.b.node]?.links[b]?.kind = .veth(peer: LinkPlace(namespace: wire.a.node, interface: a))
        }
        return state
    }

    struct Passage: Hashable, CustomStringConvertible {
        var node: String
        var link: String
        var direction: Hop.Direction
        var description: String { "\(node):\(link) \(direction)" }
    }

    struct Tally: Hashable {
        var packets: Int
        var bytes: Int
    }
}

extension Walk {
    /// The share of the flows that passes each interface.
    var shares: [PathLab.Passage: Double] {
        passages.reduce(into: [:]) {
            $0[PathLab.Passage(node: $1.place.namespace, link: $1.name, direction: $1.direction), default: 0] += $1.share
        }
    }
}
