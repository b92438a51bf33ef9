import NetworkTypes

/// What went over something in a stretch of time, both ways.
public struct Load: Sendable, Hashable {
    public var forwardBytes: UInt64 = 0
    public var backwardBytes: UInt64 = 0
    public var forwardPackets: UInt64 = 0
    public var backwardPackets: UInt64 = 0

    public init(forwardBytes: UInt64 = 0, backwardBytes: UInt64 = 0, forwardPackets: UInt64 = 0, backwardPackets: UInt64 = 0) {
        self.forwardBytes = forwardBytes
        self.backwardBytes = backwardBytes
        self.forwardPackets = forwardPackets
        self.backwardPackets = backwardPackets
    }

    public var bytes: UInt64 { forwardBytes &+ backwardBytes }
    public var reversed: Load {
        Load(
            forwardBytes: backwardBytes, backwardBytes: forwardBytes, forwardPackets: backwardPackets, backwardPackets: forwardPackets)
    }

    public static func += (sum: inout Load, one: Load) {
        sum.forwardBytes &+= one.forwardBytes
        sum.backwardBytes &+= one.backwardBytes
        sum.forwardPackets &+= one.forwardPackets
        sum.backwardPackets &+= one.backwardPackets
    }
}

/// What moved in the latest stretch of time: by link, interface, virtual network and application, and in all.
///
/// Communication is counted at one observation point a flow (``ObservationRule``), so that its sums hold; interfaces by their own books, with
/// everything that passes them.
public struct TrafficLoads: Sendable {
    /// How long it took.
    public let length: Duration
    /// Of all communication.
    public private(set) var total = Load()
    /// Of links that carry communication, from client to server; and of the wires, ports and pairs of counted interfaces, from a to b.
    public private(set) var links: [LinkID: Load] = [:]
    /// Forward: received, backward: sent.
    public let interfaces: [NodeKey: Load]
    /// Forward: towards servers. Communication between two networks counts in both.
    public private(set) var networks: [NodeID: Load] = [:]
    public private(set) var applications: [NodeID: Load] = [:]
    /// Forward: towards servers, of the server's network.
    public private(set) var services: [NodeID: Load] = [:]

    public static let none = TrafficLoads(.empty, interfaces: [:], length: .seconds(1))

    /// - Parameters:
    ///   - snapshot: of the commit that took what flows did in that time.
    ///   - gains: of each counted interface, forward what it received.
    public init(_ snapshot: Snapshot, interfaces gains: [NodeKey: Load], length: Duration) {
        self.length = length
        interfaces = gains
        var ports: [Port: Load] = [:]
        for link in snapshot.active { addTraffic(link, snapshot, &ports) }
        for (port, load) in ports {
            guard case .network(let network) = snapshot.key(of: port.network),
                let node = snapshot.id(of: NodeKey.service(network, IPProtocol(rawValue: port.transport), port.port))
            else { continue }
            services[node] = load
        }
        for (key, load) in gains {
            guard let node = snapshot.id(of: key) else { continue }
            addInterface(node, load, snapshot)
        }
    }

    /// What is served in a network.
    private struct Port: Hashable {
        var network: NodeID
        var transport: UInt8
        var port: UInt16
    }

    private mutating func addTraffic(_ link: LinkID, _ snapshot: Snapshot, _ ports: inout [Port: Load]) {
        guard let traffic = snapshot.traffic(of: link), traffic.epoch == snapshot.epoch else { return }
        let load = Load(
            forwardBytes: traffic.forward.bytes, backwardBytes: traffic.backward.bytes,
            forwardPackets: UInt64(traffic.forward.packets), backwardPackets: UInt64(traffic.backward.packets))
        links[link, default: Load()] += load
        // A tunnel carries what is counted inside.
        guard snapshot.kind(of: link) == .talks else { return }
        total += load
        let (a, b) = snapshot.ends(of: link)
        let (from, to) = (snapshot.network(of: a), snapshot.network(of: b))
        if let from { networks[from, default: Load()] += load }
        if let to, to != from { networks[to, default: Load()] += load }
        if let to, let (transport, port) = snapshot.port(of: link) {
            ports[Port(network: to, transport: transport, port: port), default: Load()] += load
        }
        if let application = snapshot.application(of: link) { applications[application, default: Load()] += load }
    }

    /// What an interface received came from its peer, and what a port of a bridge received went into the bridge.
    private mutating func addInterface(_ node: NodeID, _ load: Load, _ snapshot: Snapshot) {
        for (link, kind, _) in snapshot.links(of: node) {
            let isFirst = snapshot.ends(of: link).a == node
            switch kind {
            // Either end tells the same; the one with more has missed less.
            case .veth:
                let seen = isFirst ? load.reversed : load
                if links[link].map({ $0.bytes < seen.bytes }) ?? true { links[link] = seen }
            // From the port into the bridge goes what it received; from a device down to the one under it, what it sent.
            case .port: if isFirst { links[link] = load }
            case .stacked: if isFirst { links[link] = load.reversed }
            default: break
            }
        }
    }
}

extension Snapshot {
    /// The network that an endpoint, prefix, station or service is in.
    func network(of node: NodeID) -> NodeID? {
        guard case .network(let key)? = key(of: node).parent else { return nil }
        return id(of: NodeKey.network(key))
    }

    fileprivate func port(of link: LinkID) -> (transport: UInt8, port: UInt16)? {
        PackedQualifier.port(graph.links[Int(link.rawValue)].qualifier)
    }

    func application(of link: LinkID) -> NodeID? {
        PackedQualifier.application(graph.links[Int(link.rawValue)].qualifier).map(NodeID.init(rawValue:))
    }
}
