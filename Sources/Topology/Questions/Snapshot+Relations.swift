import NetworkTypes

/// Who talks to whom: a line of the answer.
public struct Talk: Sendable, Hashable {
    public var link: LinkID
    /// An endpoint, or the prefix or network that it was folded into.
    public var client: NodeID
    public var server: NodeID
    public var transport: IPProtocol
    /// 0: several, or none.
    public var port: UInt16
    public var application: String?
    public var traffic: TrafficSummary
}

extension Snapshot {
    /// What a node is joined to, over links of those kinds (nil: all), by rising key and kind.
    public func neighbours(of node: NodeID, over kinds: Set<LinkKind>? = nil) -> [(link: LinkID, kind: LinkKind, other: NodeID)] {
        links(of: node).filter { kinds?.contains($0.kind) ?? true }
            .map { ($0, key(of: $0.other).description) }
            .sorted { ($0.1, $0.0.kind.rawValue, $0.0.link) < ($1.1, $1.0.kind.rawValue, $1.0.link) }
            .map(\.0)
    }

    /// What is in a network, or on a host, in a namespace or a zone: its parts and its members. By rising key.
    public func members(of node: NodeID) -> [NodeID] {
        var found: Set<NodeID> = []
        graph.forEachLink(of: node) { _, record, other in
            if record.kind == .part || record.kind == .member, record.b == node.rawValue { found.insert(other) }
        }
        if case .zone(let prefixes) = state(of: node) {
            forEachNode { id, key in
                if case .endpoint(_, let address) = key, prefixes.contains(where: { $0.contains(address) }) { found.insert(id) }
            }
        }
        return sorted(found)
    }

    func sorted(_ nodes: some Sequence<NodeID>) -> [NodeID] {
        nodes.map { ($0, key(of: $0).description) }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// Who talks to a node or what is in it: an endpoint or prefix, all endpoints of an interface, namespace, network or zone, a service's
    /// servers at its port, an application. Most bytes of the latest epoch first.
    public func talks(of node: NodeID) -> [Talk] {
        var found: Set<LinkID> = []
        func add(_ end: NodeID, where isWanted: (LinkRecord) -> Bool = { _ in true }) {
            graph.forEachLink(of: end) { link, record, _ in if record.kind == .talks, isWanted(record) { found.insert(link) } }
        }
        add(node)
        switch key(of: node) {
        case .service(_, let transport, let port):
            for (_, kind, server) in links(of: node) where kind == .serves {
                add(server) {
                    $0.b == server.rawValue && $0.qualifier >> 32 == PackedQualifier.flow(transport.rawValue, port, application: nil) >> 32
                }
            }
        case .application:
            for index in 0..<graph.links.count where !graph.links[index].isFree {
                let name = PackedQualifier.application(graph.links[index].qualifier)
                if name == node.rawValue { found.insert(LinkID(rawValue: UInt32(index))) }
            }
        case .host, .namespace, .interface, .network, .zone:
            for end in endpoints(in: node) { add(end) }
        case .endpoint, .prefix, .station, .route, .rule, .security: break
        }
        return found.map(talk).map { ($0, key(of: $0.link).description) }
            .sorted { a, b in
                let (x, y) = (a.0.traffic, b.0.traffic)
                let bytes = (x.forward.bytes &+ x.backward.bytes, y.forward.bytes &+ y.backward.bytes)
                return bytes.0 != bytes.1 ? bytes.0 > bytes.1 : a.1 < b.1
            }
            .map(\.0)
    }

    private func talk(_ link: LinkID) -> Talk {
        let record = graph.links[Int(link.rawValue)]
        guard case .flow(let transport, let port, let application) = graph.qualifier(record.qualifier) else {
            preconditionFailure("communication without a protocol: \(key(of: link))")
        }
        return Talk(
            link: link, client: NodeID(rawValue: record.a), server: NodeID(rawValue: record.b), transport: transport, port: port,
            application: application, traffic: graph.traffic[Int(record.traffic)])
    }

    /// The endpoints (and prefixes) that a node holds: those attached to an interface, those in a network, and so on down.
    func endpoints(in node: NodeID) -> Set<NodeID> {
        var found: Set<NodeID> = []
        var visited: Set<NodeID> = [node]
        var rest = [node]
        while let next = rest.popLast() {
            switch key(of: next) {
            case .endpoint, .prefix: found.insert(next)
            case .interface:
                graph.forEachLink(of: next) { _, record, other in if record.kind == .attached { found.insert(other) } }
            case .zone, .host, .namespace, .network:
                // Of a network the endpoints only: its member interfaces are on hosts that have others.
                let isNetwork = key(of: next).kind == .network
                for member in members(of: next) where !isNetwork || key(of: member).kind != .interface {
                    if visited.insert(member).inserted { rest.append(member) }
                }
            case .route, .rule, .security, .station, .service, .application: break
            }
        }
        return found
    }

    /// Everything behind a node: what frames and packets reach only by going on from it, away from the rest of its host.
    ///
    /// Behind a VTEP: the stations and endpoints that forwarding entries send there. Behind a bridge: its ports and what is behind them.
    /// Behind an interface: the other end of its pair, the namespace that it is in with all it has, the endpoints attached to it or learned
    /// on it. Behind a network: its members. By rising key, without the node.
    public func behind(_ node: NodeID) -> [NodeID] {
        var walk = BehindWalk(graph: graph)
        walk.start(node)
        walk.found.remove(node)
        return sorted(walk.found)
    }
}

/// See ``Snapshot/behind(_:)``.
struct BehindWalk {
    let graph: Graph
    var found: Set<NodeID> = []

    private func kind(_ node: NodeID) -> NodeKind { graph.nodes[Int(node.rawValue)].key.kind }

    mutating func start(_ node: NodeID) {
        found.insert(node)
        switch kind(node) {
        case .interface:
            let state = EntityState(encoded: graph.states[graph.nodes[Int(node.rawValue)].state])
            var isBridge = false
            if case .interface(let interface) = state { isBridge = interface.kind == "bridge" }
            if isBridge {
                follow(node) { $0 == .port && $1 == 1 }
                collect(node)
            } else {
                beyond(node)
            }
        case .endpoint:
            follow(node) { kind, side in kind == .forwards && side == 0 }
        case .network, .namespace, .host, .zone:
            follow(node) { kind, side in (kind == .part || kind == .member) && side == 1 }
        case .service: follow(node) { kind, _ in kind == .serves }
        case .prefix, .station, .route, .rule, .security, .application: break
        }
    }

    /// From a port or device away from where it is plugged in.
    private mutating func beyond(_ interface: NodeID) {
        collect(interface)
        graph.forEachLink(of: interface) { _, record, other in
            if record.kind == .veth, !found.contains(other) { arrive(other) }
        }
        // Devices over it, and what a tunnel leads to.
        graph.forEachLink(of: interface) { _, record, other in
            if record.kind == .stacked, record.b == interface.rawValue, found.insert(other).inserted { collect(other) }
            if record.kind == .terminates { tunnels(of: other, record.qualifier) }
        }
    }

    /// At the far end of a pair: a port of another bridge, or an interface of a namespace beyond.
    private mutating func arrive(_ interface: NodeID) {
        guard found.insert(interface).inserted else { return }
        collect(interface)
        var bridge: NodeID?
        graph.forEachLink(of: interface) { _, record, other in if record.kind == .port, record.a == interface.rawValue { bridge = other } }
        if let bridge, found.insert(bridge).inserted {
            collect(bridge)
            graph.forEachLink(of: bridge) { _, record, port in
                if record.kind == .port, record.b == bridge.rawValue, found.insert(port).inserted { beyond(port) }
            }
        }
    }

    private mutating func collect(_ interface: NodeID) {
        graph.forEachLink(of: interface) { _, record, other in
            switch record.kind {
            case .attached: found.insert(other)
            case .forwards where record.a == interface.rawValue: reach(other)
            default: break
            }
        }
    }

    /// What frames are sent to: a station, or an interface with the addresses that it has. Not on from there: it may lead back.
    private mutating func reach(_ station: NodeID) {
        guard found.insert(station).inserted, kind(station) == .interface else { return }
        graph.forEachLink(of: station) { _, record, other in if record.kind == .attached { found.insert(other) } }
    }

    private mutating func tunnels(of vtep: NodeID, _ qualifier: UInt64) {
        graph.forEachLink(of: vtep) { _, record, far in
            guard record.kind == .tunnel, record.qualifier == qualifier, found.insert(far).inserted else { return }
            // The far end may have other networks too: only what is sent there in this one.
            graph.forEachLink(of: far) { _, entry, station in
                guard entry.kind == .forwards, entry.a == far.rawValue, entry.qualifier == qualifier else { return }
                reach(station)
            }
        }
    }

    /// Over the links for which `isWanted` says so, given which end (0: the first) the node is.
    private mutating func follow(_ node: NodeID, _ isWanted: (LinkKind, Int) -> Bool) {
        graph.forEachLink(of: node) { _, record, other in
            guard isWanted(record.kind, record.a == node.rawValue ? 0 : 1), found.insert(other).inserted else { return }
            switch record.kind {
            case .port: beyond(other)
            case .part where kind(other) == .namespace: start(other)
            case .forwards where kind(other) == .interface: collect(other)
            default: break
            }
        }
    }
}
