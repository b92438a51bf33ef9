import NetworkTypes
import Topology

extension Walker {
    /// Hands a frame to an interface.
    mutating func send(_ frame: Frame, from place: LinkPlace, gateway: IPAddress?, _ trail: Trail) -> [Branch] {
        var trail = trail
        guard let link = plane.state.link(place) else { return trail.lost(.lookup(.noInterface, namespace: place.namespace)) }
        if !link.isUp { return trail.lost(.linkDown(place)) }
        if !link.hasCarrier { return trail.lost(.noCarrier(place)) }
        guard pass(place, .egress, frame.bytes, gateway: gateway, &trail) else { return trail.lost(.loop) }
        switch link.kind {
        case .veth(let peer):
            guard let peer, plane.state.link(peer) != nil else { return trail.ending(.left(place)) }
            return receive(frame, at: peer, trail)
        case .bridge: return forward(frame, through: place, from: nil, trail)
        case .vlan(let parent, let id):
            var tagged = frame
            tagged.vlan = id
            return send(tagged, from: LinkPlace(namespace: place.namespace, interface: parent), gateway: nil, trail)
        case .vxlan(let parameters): return encapsulate(frame, into: place, parameters, trail)
        case .loopback: return receive(frame, at: place, trail)
        case .dummy: return trail.lost(.discarded(place))
        case .physical, .vrf, .other: return trail.ending(.left(place))
        }
    }

    /// A frame comes out of an interface into its namespace.
    mutating func receive(_ frame: Frame, at place: LinkPlace, _ trail: Trail) -> [Branch] {
        var trail = trail
        guard let namespace = plane.state.namespaces[place.namespace], let link = namespace.links[place.interface] else {
            return trail.lost(.noSuchNamespace(place.namespace))
        }
        if !link.isUp { return trail.lost(.linkDown(place)) }
        guard pass(place, .ingress, frame.bytes, &trail) else { return trail.lost(.loop) }
        if let vlan = frame.vlan {
            // Tags go to their device before a bridge sees the frame (vlan_do_receive, net/8021q/vlan_core.c).
            let device = namespace.links.values.first { if case .vlan(place.interface, vlan) = $0.kind { true } else { false } }
            if let device {
                var untagged = frame
                untagged.vlan = nil
                return receive(untagged, at: LinkPlace(namespace: place.namespace, interface: device.index), trail)
            }
        }
        if let master = link.master, namespace.links[master]?.kind == .bridge {
            return forward(frame, through: LinkPlace(namespace: place.namespace, interface: master), from: link, trail)
        }
        if frame.vlan != nil { return trail.ending(.ignored(place)) }
        switch frame.payload {
        case .request(let address):
            guard let mac = link.mac, plane.routingTables(of: place.namespace)?.isLocal(address) == true else {
                return trail.ending(.ignored(place))
            }
            return trail.ending(.answered(mac))
        case .packet(let packet):
            guard frame.destination.isGroup || link.mac == nil || frame.destination == link.mac else {
                return trail.ending(.ignored(place))
            }
            return input(packet, at: place, trail)
        }
    }

    /// What a bridge does with a frame from a port, or from the bridge's own interface (br_handle_frame, br_dev_xmit).
    private mutating func forward(_ frame: Frame, through bridge: LinkPlace, from port: LinkState?, _ trail: Trail) -> [Branch] {
        if let port, !port.port.isForwarding {
            return trail.lost(.portBlocked(LinkPlace(namespace: bridge.namespace, interface: port.index)))
        }
        guard let namespace = plane.state.namespaces[bridge.namespace], let device = namespace.links[bridge.interface] else {
            return trail.lost(.noSuchNamespace(bridge.namespace))
        }
        if !device.isUp { return trail.lost(.linkDown(bridge)) }
        if !frame.destination.isGroup {
            if port != nil, plane.isOwn(frame.destination, of: bridge) {
                return receive(frame, at: bridge, trail)
            }
            if let known = knownPort(of: frame, on: bridge), let out = namespace.links[known] {
                guard mayPass(port, out) else { return trail.ending(.ignored(LinkPlace(namespace: bridge.namespace, interface: known))) }
                return send(frame, from: LinkPlace(namespace: bridge.namespace, interface: known), gateway: nil, trail)
            }
        }
        if case .request(let address) = frame.payload, let mac = suppressed(address, on: bridge, port) {
            return trail.ending(.answered(mac))
        }
        var trail = trail
        if !frame.destination.isGroup { trail.notes.append(.flooded(bridge)) }
        var branches: [Branch] = []
        if port != nil, frame.destination.isGroup { branches += receive(frame, at: bridge, trail) }
        for out in plane.ports(of: bridge).compactMap({ namespace.links[$0] }) where mayPass(port, out) && out.isUp && out.hasCarrier {
            guard frame.destination.isGroup ? out.port.floodsBroadcasts : out.port.floods else { continue }
            branches += send(frame, from: LinkPlace(namespace: bridge.namespace, interface: out.index), gateway: nil, trail)
        }
        return branches.isEmpty ? trail.ending(.ignored(bridge)) : branches
    }

    private func mayPass(_ from: LinkState?, _ to: LinkState) -> Bool {
        guard to.port.isForwarding else { return false }
        guard let from else { return true }
        if from.index == to.index { return to.port.isHairpin }
        return !(from.port.isIsolated && to.port.isIsolated)
    }

    private func knownPort(of frame: Frame, on bridge: LinkPlace) -> Int32? {
        plane.port(of: frame.destination, vlan: frame.vlan, on: bridge)
            ?? learntPorts[ForwardingPlane.BridgeKey(bridge: bridge, mac: frame.destination, vlan: nil)]
    }

    /// A bridge with `neigh_suppress` answers for what it knows to be behind such a port (br_do_proxy_suppress_arp).
    private func suppressed(_ address: IPAddress, on bridge: LinkPlace, _ from: LinkState?) -> MACAddress? {
        guard let tables = plane.routingTables(of: bridge.namespace), let entry = tables.neighbour(of: address, on: bridge.interface),
            entry.state.isValid, let mac = entry.mac, let port = plane.port(of: mac, vlan: nil, on: bridge),
            let link = tables.namespace.links[port], link.port.suppressesNeighbours, port != from?.index
        else { return nil }
        return mac
    }

    /// Puts a frame into a VXLAN packet for each VTEP that is to get it (vxlan_xmit, drivers/net/vxlan).
    private mutating func encapsulate(
        _ frame: Frame, into tunnel: LinkPlace, _ parameters: VXLANParameters, _ trail: Trail
    ) -> [Branch] {
        guard let vni = parameters.vni else { return trail.ending(.left(tunnel)) }
        let targets = destinations(of: frame, tunnel, parameters)
        if targets.isEmpty { return trail.lost(.noVTEP(tunnel)) }
        var branches: [Branch] = []
        for (address, entryVNI, share) in targets {
            var trail = trail
            trail.depth += 1
            trail.share *= share
            var outer = Packet(
                source: parameters.local, destination: address, transport: .udp, destinationPort: parameters.port,
                ttl: parameters.ttl == 0 ? nil : parameters.ttl, size: frame.bytes + EncapsulationBytes.vxlan(overIPv4: address.isV4))
            if address.isMulticast, parameters.ttl == 0 { outer.ttl = 1 }
            outer.inner = [frame]
            outer.vni = entryVNI ?? vni
            branches += output(outer, in: parameters.underlayNamespace ?? tunnel.namespace, boundTo: parameters.underlay, trail)
        }
        return branches
    }

    private func destinations(
        of frame: Frame, _ tunnel: LinkPlace, _ parameters: VXLANParameters
    ) -> [(IPAddress, vni: UInt32?, share: Double)] {
        if !frame.destination.isGroup {
            if let entry = plane.tunnelEntries(for: frame.destination, on: tunnel).first {
                if let address = entry.vtep { return [(address, entry.vni, 1)] }
                return spread(over: entry.nexthopObject, in: tunnel.namespace).map { ($0.0, entry.vni, $0.1) }
            }
            if let learnt = learntVTEPs[ForwardingPlane.TunnelKey(tunnel: tunnel, mac: frame.destination)] { return [(learnt, nil, 1)] }
        }
        // The default destinations: entries of the address zero, and the device's own remote, each gets a copy.
        var result: [(IPAddress, vni: UInt32?, share: Double)] = []
        for entry in plane.tunnelEntries(for: MACAddress(rawValue: 0), on: tunnel) {
            if let address = entry.vtep, !result.contains(where: { $0.0 == address }) { result.append((address, entry.vni, 1)) }
        }
        if let remote = parameters.remote, !result.contains(where: { $0.0 == remote }) { result.append((remote, nil, 1)) }
        return result
    }

    private func spread(over object: UInt32?, in namespace: String) -> [(IPAddress, Double)] {
        guard let object, let objects = plane.state.namespaces[namespace]?.nexthopObjects, let group = objects[object] else { return [] }
        if let address = group.nexthop?.gateway { return [(address, 1)] }
        let shares = MultipathShares.ofGroup(group.group.map { (Int($0.weight), objects[$0.id]?.nexthop?.gateway != nil) })
        return shares.compactMap { index, share in objects[group.group[index].id]?.nexthop?.gateway.map { ($0, share) } }
    }

    /// An answer comes back the way the request went: what it passes learns where the address is.
    mutating func learn(_ mac: MACAddress, from reply: Branch) {
        for hop in reply.hops where hop.direction == .egress {
            guard let namespace = plane.state.namespaces[hop.place.namespace] else { continue }
            guard let link = namespace.links[hop.place.interface] else { continue }
            if let master = link.master, namespace.links[master]?.kind == .bridge, link.port.learns {
                let bridge = LinkPlace(namespace: hop.place.namespace, interface: master)
                learntPorts[ForwardingPlane.BridgeKey(bridge: bridge, mac: mac, vlan: nil)] = link.index
            }
        }
        learnVTEPs(mac, reply)
    }

    /// The VTEP that an answer comes from is that of the last tunnel device on the way whose frame was received there.
    private mutating func learnVTEPs(_ mac: MACAddress, _ reply: Branch) {
        var sender: LinkPlace?
        for hop in reply.hops {
            guard case .vxlan(let parameters)? = plane.state.link(hop.place)?.kind else { continue }
            if hop.direction == .egress {
                sender = parameters.learns ? hop.place : nil
            } else if let from = sender, let address = parameters.local {
                learntVTEPs[ForwardingPlane.TunnelKey(tunnel: from, mac: mac)] = address
                sender = nil
            }
        }
    }
}
