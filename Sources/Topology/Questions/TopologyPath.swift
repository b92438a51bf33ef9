import NetworkTypes

/// The way from one node to another: what is passed, in order, and by what each step is taken.
public struct TopologyPath: Sendable, Hashable {
    public struct Step: Sendable, Hashable {
        /// What is arrived at.
        public var node: NodeID
        /// Over which link; nil for the first step, and for one within a namespace.
        public var link: LinkID?
        /// The route that sent the packet on, where one did.
        public var route: NodeID?

        public init(node: NodeID, link: LinkID? = nil, route: NodeID? = nil) {
            self.node = node
            self.link = link
            self.route = route
        }
    }

    /// Why a way ends where it does.
    public enum End: Sendable, Hashable {
        case arrived
        /// No interface that is known has the first address.
        case sourceUnknown
        /// No route of that namespace has the destination.
        case noRoute(in: NodeID)
        /// A route or rule of that namespace forbids it: blackhole, unreachable, prohibit.
        case refused(by: NodeID)
        /// On by a gateway that is not on a host that is known.
        case leaves(by: NodeID)
        /// Nothing at layer 2 joins the interface with the next hop.
        case notJoined(NodeID, NodeID)
        /// The routes send it in a circle.
        case loop(at: NodeID)
    }

    public var steps: [Step]
    public var end: End
}

extension Snapshot {
    /// The way of a packet from one endpoint to another: routes and rules of each namespace, then bridges, pairs and tunnels to the next
    /// hop.
    ///
    /// Both are endpoints, or interfaces, of which the first address counts. Rules are taken as a packet without mark, TOS, ports and user
    /// would be, in the VRF of the interface that it is sent from or came in by; of several nexthops the first that is alive. Down interfaces are not passed.
    public func path(from source: NodeID, to destination: NodeID) -> TopologyPath {
        guard let from = endpoint(of: source), let to = endpoint(of: destination), case .endpoint(_, let target) = key(of: to) else {
            return TopologyPath(steps: [], end: .sourceUnknown)
        }
        var walk = PathWalk(snapshot: self, destination: to, target: target)
        return walk.run(from: from)
    }

    /// Likewise, to an address that is no endpoint that is known: where it leaves what is.
    public func path(from source: NodeID, to target: IPAddress) -> TopologyPath {
        guard let from = endpoint(of: source) else { return TopologyPath(steps: [], end: .sourceUnknown) }
        var walk = PathWalk(snapshot: self, destination: nil, target: target)
        return walk.run(from: from)
    }

    /// An endpoint itself, or an interface's first by key.
    private func endpoint(of node: NodeID) -> NodeID? {
        switch key(of: node).kind {
        case .endpoint: return node
        case .interface:
            let attached = links(of: node).filter { $0.kind == .attached }.map(\.other)
            return sorted(attached).first { !isKernelMade($0) } ?? sorted(attached).first
        default: return nil
        }
    }
}

/// See ``Snapshot/path(from:to:)``.
private struct PathWalk {
    let snapshot: Snapshot
    /// nil where nothing that is known has the address.
    let destination: NodeID?
    let target: IPAddress
    var steps: [TopologyPath.Step] = []
    var visited: Set<NodeID> = []

    init(snapshot: Snapshot, destination: NodeID?, target: IPAddress) {
        self.snapshot = snapshot
        self.destination = destination
        self.target = target
    }

    mutating func run(from source: NodeID) -> TopologyPath {
        steps = [TopologyPath.Step(node: source)]
        if source == destination { return TopologyPath(steps: steps, end: .arrived) }
        guard let first = interfaces(of: source).first else { return TopologyPath(steps: steps, end: .sourceUnknown) }
        steps.append(TopologyPath.Step(node: first.interface, link: first.link))
        let end = forward(in: namespace(of: first.interface), from: first.interface, source: source)
        return TopologyPath(steps: steps, end: end)
    }

    private func interfaces(of endpoint: NodeID) -> [(interface: NodeID, link: LinkID)] {
        snapshot.neighbours(of: endpoint, over: [.attached]).map { ($0.other, $0.link) }
    }

    private func namespace(of interface: NodeID) -> NodeID {
        guard let parent = snapshot.key(of: interface).parent, let id = snapshot.id(of: parent) else {
            preconditionFailure("\(snapshot.key(of: interface)) is nowhere")
        }
        return id
    }

    /// Hop by hop, until there or no further.
    private mutating func forward(in start: NodeID, from entry: NodeID, source: NodeID) -> TopologyPath.End {
        var here = start
        var at = entry
        while true {
            if let destination, let local = interfaces(of: destination).first(where: { namespace(of: $0.interface) == here }) {
                if local.interface != at { steps.append(TopologyPath.Step(node: local.interface)) }
                steps.append(TopologyPath.Step(node: destination, link: local.link))
                return .arrived
            }
            guard visited.insert(here).inserted else { return .loop(at: here) }
            let table = RouteTable(snapshot: snapshot, namespace: here)
            switch table.lookup(target, from: source, vrf: vrfTable(of: at), in: snapshot) {
            case .none: return .noRoute(in: here)
            case .refused(let by): return .refused(by: by)
            case .hop(let route, let name, let gateway):
                guard case .namespace(let key) = snapshot.key(of: here), let out = snapshot.id(of: .interface(key, name)) else {
                    return .noRoute(in: here)
                }
                if out != at { steps.append(TopologyPath.Step(node: out, route: route)) } else { steps[steps.count - 1].route = route }
                guard let next = nextHop(gateway, from: out) else { return .leaves(by: out) }
                let far = interfaces(of: next)
                let walk = LayerTwoWalk(snapshot: snapshot)
                guard let way = walk.way(from: out, to: Set(far.map(\.interface)), or: next) else {
                    return far.isEmpty ? .leaves(by: next) : .notJoined(out, next)
                }
                steps += way
                guard let arrived = way.last?.node, snapshot.key(of: arrived).kind == .interface else {
                    return next == destination ? .arrived : .leaves(by: next)
                }
                at = arrived
                here = namespace(of: arrived)
            }
        }
    }

    /// The table of the VRF that an interface is a port of.
    private func vrfTable(of interface: NodeID) -> UInt32? {
        for (_, kind, master) in snapshot.links(of: interface) where kind == .port {
            if case .interface(let state) = snapshot.state(of: master), state.kind == "vrf" { return state.table }
        }
        return nil
    }

    /// The endpoint that the packet is handed to on the link: the gateway, or the destination itself.
    private func nextHop(_ gateway: IPAddress?, from out: NodeID) -> NodeID? {
        guard let gateway else { return destination }
        return snapshot.neighbours(of: out, over: [.gateway]).first {
            if case .endpoint(_, let address) = snapshot.key(of: $0.other) { return address == gateway }
            return false
        }?.other
    }
}
