import NetworkTypes

/// The routes and rules of one namespace, as a snapshot has them: enough to say where a plain packet goes (ip-rule(8)). What if they were
/// different, and for packets with marks and ports, is path computation's to say.
struct RouteTable {
    enum Outcome {
        case none
        /// By a route or a rule.
        case refused(by: NodeID)
        case hop(route: NodeID, interface: String, gateway: IPAddress?)
    }

    private var routes: [UInt32: [(identity: RouteIdentity, state: RouteState, id: NodeID)]] = [:]
    private var rules: [(RoutingRule, NodeID)] = []

    init(snapshot: Snapshot, namespace: NodeID) {
        for part in snapshot.links(of: namespace) where part.kind == .part {
            switch (snapshot.key(of: part.other), part.other) {
            case (.route(_, let identity), let id):
                if case .route(let state) = snapshot.state(of: id) { routes[identity.table, default: []].append((identity, state, id)) }
            case (.rule, let id): if case .rule(let rule) = snapshot.state(of: id) { rules.append((rule, id)) }
            default: break
            }
        }
        // Longest prefix first, then the lowest metric, then as the kernel has them.
        for table in Array(routes.keys) {
            routes[table]!.sort {
                ($1.identity.destination.length, $0.identity.metric, $0.identity.sibling)
                    < ($0.identity.destination.length, $1.identity.metric, $1.identity.sibling)
            }
        }
        rules.sort { ($0.0.priority, $0.1) < ($1.0.priority, $1.1) }
    }

    /// - Parameter vrf: the table of the VRF that the packet came in by, or is sent from.
    func lookup(_ target: IPAddress, from source: NodeID, vrf: UInt32?, in snapshot: Snapshot) -> Outcome {
        var sender: IPAddress?
        if case .endpoint(_, let address) = snapshot.key(of: source) { sender = address }
        let family: RoutingRule.Family = target.isV4 ? .ipv4 : .ipv6
        let known = rules.filter { $0.0.family == family }
        // A namespace whose rules were not told has those that every namespace begins with.
        if known.isEmpty {
            for table: UInt32 in [255, 254, 253] { if let found = route(target, sender, in: table, suppressed: -1) { return found } }
            return .none
        }
        var index = 0
        while index < known.count {
            let (rule, id) = known[index]
            index += 1
            guard rule.matchesPlain(from: sender, to: target, vrf: vrf) else { continue }
            switch rule.action {
            case .table:
                let table = rule.followsVRF ? vrf ?? 0 : rule.table
                if let found = route(target, sender, in: table, suppressed: rule.suppressedLength) { return found }
            case .goto:
                // Only ever forward.
                while index < known.count, known[index].0.priority < rule.target ?? 0 { index += 1 }
            case .nothing: break
            case .blackhole, .unreachable, .prohibit: return .refused(by: id)
            }
        }
        return .none
    }

    private func route(_ target: IPAddress, _ sender: IPAddress?, in table: UInt32, suppressed: Int32) -> Outcome? {
        for (identity, state, id) in routes[table] ?? [] where identity.destination.contains(target) && identity.tos == 0 {
            if let source = identity.source, sender.map({ source.contains($0) }) != true { continue }
            switch state.kind {
            case .blackhole, .unreachable, .prohibit: return .refused(by: id)
            case .throw: return nil
            case .unicast, .local, .anycast, .nat, .broadcast, .multicast:
                guard let hop = state.nexthops.first(where: { !$0.isDead && !$0.interface.isEmpty }) else { continue }
                if suppressed >= 0, identity.destination.length <= suppressed { return nil }
                return .hop(route: id, interface: hop.interface, gateway: hop.gateway)
            }
        }
        return nil
    }
}

extension RoutingRule {
    /// Whether a packet without mark, TOS, transport and user, from this host or through it, comes under the rule.
    func matchesPlain(from sender: IPAddress?, to target: IPAddress, vrf: UInt32?) -> Bool {
        var matches = tos == 0 && (mark & markMask == 0) && outputInterface == nil && transport == nil && users == nil
        matches = matches && sourcePorts == nil && destinationPorts == nil && (!followsVRF || vrf != nil)
        matches = matches && (inputInterface == nil || inputInterface == "lo")
        if let source { matches = matches && sender.map { source.contains($0) } == true }
        if let destination { matches = matches && destination.contains(target) }
        return matches != isInverted
    }
}
