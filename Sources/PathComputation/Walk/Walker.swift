import NetworkTypes
import Topology

/// What a packet has behind it.
struct Trail {
    var hops: [Hop] = []
    var share = 1.0
    var notes: [WalkNote] = []
    /// How many tunnels the packet is in now.
    var depth = 0

    func ending(_ outcome: WalkOutcome) -> [Branch] { [Branch(hops: hops, share: share, outcome: outcome, notes: notes)] }
    func lost(_ reason: LossReason) -> [Branch] { ending(.lost(reason)) }
}

/// Follows one packet: layer 3 here, bridges and tunnels in extensions.
///
/// Bounded: a branch ends after ``hopLimit`` interfaces, tunnels nest ``depthLimit`` deep, and all branches together take at most
/// ``stepLimit`` steps.
struct Walker {
    static let hopLimit = 512
    static let depthLimit = 8
    static let stepLimit = 100_000

    let plane: ForwardingPlane
    private(set) var passages: [Hop] = []
    private var steps = 0
    /// Above zero while a request is under way: its passages are no traffic.
    private var asking = 0
    private var answers: [Question: MACAddress?] = [:]
    /// What bridges and tunnels have learnt from answers.
    var learntPorts: [ForwardingPlane.BridgeKey: Int32] = [:]
    var learntVTEPs: [ForwardingPlane.TunnelKey: IPAddress] = [:]

    private struct Question: Hashable {
        var place: LinkPlace
        var address: IPAddress
    }

    init(_ plane: ForwardingPlane) { self.plane = plane }

    /// For another packet. What was asked and learnt stays known.
    mutating func begin() {
        passages = []
        steps = 0
    }

    /// A packet that is made in the namespace.
    mutating func output(_ packet: Packet, in namespace: String, boundTo interface: Int32?, _ trail: Trail) -> [Branch] {
        guard let tables = plane.routingTables(of: namespace) else { return trail.lost(.noSuchNamespace(namespace)) }
        guard trail.depth <= Self.depthLimit else { return trail.lost(.loop) }
        let decision: RouteDecision
        do {
            decision = try tables.lookUp(packet.query(output: interface))
        } catch {
            return trail.lost(.lookup(error, namespace: namespace))
        }
        var packet = packet
        packet.ttl = packet.ttl ?? tables.namespace.defaultTTL
        if decision.kind == .local || decision.kind == .anycast {
            packet.source = packet.source ?? decision.choices.first?.source
            let place = LinkPlace(namespace: namespace, interface: tables.loopback)
            var trail = trail
            let bytes = EncapsulationBytes.ethernet + packet.size
            guard pass(place, .egress, bytes, &trail), pass(place, .ingress, bytes, &trail) else { return trail.lost(.loop) }
            return deliver(packet, at: place, trail)
        }
        return decision.choices.flatMap { choice in
            var packet = packet
            packet.source = packet.source ?? choice.source
            return transmit(packet, in: tables, choice, trail)
        }
    }

    /// A packet from beyond the known network.
    mutating func enter(_ packet: Packet, at place: LinkPlace) -> [Branch] {
        guard let link = plane.state.link(place) else { return Trail().lost(.lookup(.noInterface, namespace: place.namespace)) }
        var target = link.mac
        if let master = link.master, let bridge = plane.state.link(LinkPlace(namespace: place.namespace, interface: master)),
            bridge.kind == .bridge
        {
            target = bridge.mac
            asking += 1
            let question = Frame(source: .broadcast, destination: .broadcast, vlan: nil, payload: .request(packet.destination))
            for reply in receive(question, at: place, Trail()) {
                guard case .answered(let mac) = reply.outcome else { continue }
                learn(mac, from: reply)
                target = mac
                break
            }
            asking -= 1
        }
        let frame = Frame(source: .broadcast, destination: target ?? .broadcast, vlan: nil, payload: .packet(packet))
        return receive(frame, at: place, Trail())
    }

    /// A packet that came in.
    mutating func input(_ packet: Packet, at place: LinkPlace, _ trail: Trail) -> [Branch] {
        guard let tables = plane.routingTables(of: place.namespace) else { return trail.lost(.noSuchNamespace(place.namespace)) }
        if packet.destination.isMulticast { return deliverMulticast(packet, at: place, trail) }
        let decision: RouteDecision
        do {
            decision = try tables.lookUp(packet.query(input: place.interface))
        } catch {
            return trail.lost(.lookup(error, namespace: place.namespace))
        }
        switch decision.kind {
        case .local, .anycast, .broadcast: return deliver(packet, at: place, trail)
        case .unicast: break
        default: return trail.ending(.ignored(place))
        }
        if !packet.destination.isV4, !tables.forwards(place.interface, isV4: false) {
            return trail.lost(.lookup(.notForwarding, namespace: place.namespace))
        }
        var packet = packet
        let ttl = packet.ttl ?? tables.namespace.defaultTTL
        guard ttl > 1 else { return trail.lost(.ttlExceeded(namespace: place.namespace)) }
        packet.ttl = ttl - 1
        return decision.choices.flatMap { transmit(packet, in: tables, $0, trail) }
    }

    /// Out of an interface, to a gateway or straight to the destination.
    private mutating func transmit(_ packet: Packet, in tables: RoutingTables, _ choice: RouteChoice, _ trail: Trail) -> [Branch] {
        var trail = trail
        trail.share *= choice.share
        let place = LinkPlace(namespace: tables.namespace.name, interface: choice.interface)
        guard let link = tables.namespace.links[choice.interface] else {
            return trail.lost(.lookup(.noInterface, namespace: place.namespace))
        }
        if !link.isUp { return trail.lost(.linkDown(place)) }
        if packet.size > link.mtu { trail.notes.append(.exceedsMTU(place, size: packet.size, mtu: link.mtu)) }
        let next = choice.gateway ?? packet.destination
        guard let source = link.mac, link.kind != .loopback else {
            // Nothing to address: a tun device or the like.
            let frame = Frame(source: .broadcast, destination: .broadcast, vlan: nil, payload: .packet(packet))
            return send(frame, from: place, gateway: choice.gateway, trail)
        }
        guard let target = resolve(next, of: packet, at: place, tables, &trail) else {
            return trail.lost(link.hasCarrier ? .noNeighbour(next, on: place) : .noCarrier(place))
        }
        let frame = Frame(source: source, destination: target, vlan: nil, payload: .packet(packet))
        return send(frame, from: place, gateway: choice.gateway, trail)
    }

    /// The link-layer address of the next hop: from the neighbour table, else from whoever answers on the link.
    private mutating func resolve(
        _ next: IPAddress, of packet: Packet, at place: LinkPlace, _ tables: RoutingTables, _ trail: inout Trail
    ) -> MACAddress? {
        if packet.destination.isMulticast { return packet.destination.multicastMAC }
        if next.isLimitedBroadcast || tables.addresses(on: place.interface).contains(where: { $0.isBroadcast(next) }) { return .broadcast }
        if let entry = tables.neighbour(of: next, on: place.interface), entry.state.isValid, let mac = entry.mac { return mac }
        let question = Question(place: place, address: next)
        trail.notes.append(.asked(next, on: place))
        if let known = answers[question] { return known }
        // While it is being asked nobody else need ask the same.
        answers[question] = .some(nil)
        guard let source = tables.namespace.links[place.interface]?.mac else { return nil }
        asking += 1
        let frame = Frame(source: source, destination: .broadcast, vlan: nil, payload: .request(next))
        let replies = send(frame, from: place, gateway: nil, Trail())
        asking -= 1
        for reply in replies {
            guard case .answered(let mac) = reply.outcome else { continue }
            learn(mac, from: reply)
            answers[question] = .some(mac)
            return mac
        }
        // Beyond the known network somebody may have the address, with a link-layer address that is not known.
        guard let reply = replies.first(where: { if case .left = $0.outcome { true } else { false } }) else { return nil }
        let mac = next.standInMAC
        learn(mac, from: reply)
        answers[question] = .some(mac)
        return mac
    }

    /// The packet is for this namespace: its own, or the outer one of a tunnel that ends here.
    private mutating func deliver(_ packet: Packet, at place: LinkPlace, _ trail: Trail) -> [Branch] {
        guard let frame = packet.inner.first, let vni = packet.vni else {
            return trail.ending(.delivered(namespace: place.namespace))
        }
        let ends = plane.tunnels(endingIn: place.namespace, port: packet.destinationPort, vni: vni)
        guard let end = ends.first else { return trail.lost(.noTunnelEnd(namespace: place.namespace)) }
        var trail = trail
        trail.depth -= 1
        return receive(frame, at: end, trail)
    }

    private mutating func deliverMulticast(_ packet: Packet, at place: LinkPlace, _ trail: Trail) -> [Branch] {
        guard let vni = packet.vni else { return trail.ending(.ignored(place)) }
        let member = plane.tunnels(endingIn: place.namespace, port: packet.destinationPort, vni: vni).contains { end in
            guard case .vxlan(let parameters)? = plane.state.link(end)?.kind else { return false }
            return parameters.remote == packet.destination && (parameters.underlay ?? place.interface) == place.interface
        }
        return member ? deliver(packet, at: place, trail) : trail.ending(.ignored(place))
    }

    /// Notes the passage of an interface; false when the walk has to end.
    mutating func pass(
        _ place: LinkPlace, _ direction: Hop.Direction, _ bytes: Int, gateway: IPAddress? = nil, _ trail: inout Trail
    ) -> Bool {
        steps += 1
        guard steps <= Self.stepLimit, trail.hops.count < Self.hopLimit else { return false }
        let hop = Hop(
            place: place, name: plane.state.link(place)?.name ?? "", direction: direction, depth: trail.depth, frameBytes: bytes,
            share: trail.share, gateway: gateway)
        trail.hops.append(hop)
        if asking == 0 { passages.append(hop) }
        return true
    }
}

extension InterfaceAddress {
    /// The directed broadcast of its network (RFC 919).
    func isBroadcast(_ other: IPAddress) -> Bool {
        guard case .v4(let a) = other, prefixLength < 31, let network = connected, case .v4(let base) = network.address else {
            return false
        }
        return a == base | (prefixLength == 0 ? .max : .max >> UInt32(prefixLength))
    }
}

extension IPAddress {
    /// Of a station that is not known: locally administered, and different for different addresses as far as 40 bits can be.
    fileprivate var standInMAC: MACAddress {
        let low: UInt64
        switch self {
        case .v4(let a): low = UInt64(a)
        case .v6(let high, let rest): low = (high ^ rest) &* 0x9E37_79B9_7F4A_7C15 >> 24
        }
        return MACAddress(rawValue: 0x0200_0000_0000 | low & 0xFF_FFFF_FFFF)
    }

    /// RFC 1112, 6.4, and RFC 2464, section 7.
    var multicastMAC: MACAddress {
        switch self {
        case .v4(let a): MACAddress(rawValue: 0x0100_5E00_0000 | UInt64(a & 0x7F_FFFF))
        case .v6(_, let low): MACAddress(rawValue: 0x3333_0000_0000 | low & 0xFFFF_FFFF)
        }
    }
}
