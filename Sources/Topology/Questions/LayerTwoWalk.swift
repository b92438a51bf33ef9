import NetworkTypes

/// The shortest way of a frame from an interface to another: over pairs, ports, tunnels. Breadth first, over interfaces that are up.
struct LayerTwoWalk {
    let snapshot: Snapshot

    /// The steps from an interface (which is not among them) to one of `goals`, or to the endpoint `other` itself where the map ends at a
    /// forwarding entry or neighbour that leads to it.
    func way(from start: NodeID, to goals: Set<NodeID>, or other: NodeID) -> [TopologyPath.Step]? {
        if goals.contains(start) { return [] }
        // How a node was reached; a VTEP in a VNI is another place than the same VTEP in another.
        struct Place: Hashable {
            var node: NodeID
            var qualifier: UInt64
        }
        var came: [Place: (from: Place, link: LinkID)] = [:]
        let first = Place(node: start, qualifier: 0)
        var seen: Set<Place> = [first]
        var rest = [first][...]
        var fallback: Place?
        func steps(to end: Place) -> [TopologyPath.Step] {
            var found: [TopologyPath.Step] = []
            var place = end
            while place != first, let before = came[place] {
                found.append(TopologyPath.Step(node: place.node, link: before.link))
                place = before.from
            }
            return found.reversed()
        }
        while let place = rest.popFirst() {
            if goals.contains(place.node) { return steps(to: place) }
            if place.node == other {
                fallback = fallback ?? place
                continue
            }
            for (link, kind, next) in snapshot.neighbours(of: place.node, over: Self.kinds) {
                guard let qualifier = passes(kind, link, place.node, place.qualifier, to: next, wanting: other) else { continue }
                let arrived = Place(node: next, qualifier: qualifier)
                guard seen.insert(arrived).inserted else { continue }
                came[arrived] = (place, link)
                rest.append(arrived)
            }
        }
        return fallback.map { steps(to: $0) }
    }

    private static let kinds: Set<LinkKind> = [.veth, .port, .stacked, .terminates, .tunnel, .forwards, .neighbour]

    /// The qualifier with which a link is passed; nil when frames do not go that way.
    private func passes(
        _ kind: LinkKind, _ link: LinkID, _ from: NodeID, _ qualifier: UInt64, to next: NodeID, wanting other: NodeID
    ) -> UInt64? {
        let record = snapshot.graph.links[Int(link.rawValue)]
        switch kind {
        case .veth: return qualifier == 0 && isUp(from) && isUp(next) ? 0 : nil
        case .port:
            // A VRF's devices are not joined.
            let master = record.a == from.rawValue ? next : from
            return qualifier == 0 && isUp(next) && interfaceKind(master) != "vrf" ? 0 : nil
        case .stacked:
            // A macvlan's frames go by the device under it as they are; a VLAN's or tunnel's do not.
            let upper = NodeID(rawValue: record.a)
            return qualifier == 0 && ["macvlan", "macvtap", "ipvlan"].contains(interfaceKind(upper)) && isUp(next) ? 0 : nil
        case .terminates:
            // Into the tunnel with its VNI, or out of it where the VNI is the same.
            if record.a == from.rawValue { return qualifier == 0 ? record.qualifier : nil }
            return qualifier == record.qualifier && isUp(next) ? 0 : nil
        case .tunnel: return qualifier == record.qualifier ? qualifier : nil
        case .forwards, .neighbour:
            // Where nothing more is known than that the frame is sent there.
            return next == other && record.a == from.rawValue ? 0 : nil
        default: return nil
        }
    }

    private func isUp(_ node: NodeID) -> Bool {
        if case .interface(let state) = snapshot.state(of: node) { return state.isUp && state.hasCarrier }
        return true
    }

    private func interfaceKind(_ node: NodeID) -> String {
        if case .interface(let state) = snapshot.state(of: node) { return state.kind }
        return ""
    }
}
