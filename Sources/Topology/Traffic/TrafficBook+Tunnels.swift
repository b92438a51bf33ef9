/// Tunnels: links between pairs of VTEPs, with what their outer packets tell.
extension TrafficBook {
    /// The pair of VTEPs. There is one link for both directions and whatever source ports the tunnel takes.
    mutating func settleTunnel(_ number: UInt32, _ epoch: UInt64, _ graph: inout Graph) {
        if !isPlaced(number, graph) {
            let key = conversations[number].key
            let (a, _) = node(key.parties.0, isAnswered: true, epoch, &graph)
            let (b, _) = node(key.parties.1, isAnswered: true, epoch, &graph)
            let names = (graph.nodes[Int(a.rawValue)].key, graph.nodes[Int(b.rawValue)].key)
            let isSwapped = LinkKey(.tunnel, names.0, names.1).a != names.0
            let qualifier = PackedQualifier.vni(key.tunnel - 1)
            let ends = isSwapped ? (b, a) : (a, b)
            let id = graph.link(.tunnel, ends.0, ends.1, qualifier) ?? graph.setLink(.tunnel, ends.0, ends.1, qualifier, state: Graph.plain)
            conversations[number].server = isSwapped ? 0 : 1
            conversations[number].link = id.rawValue
            conversations[number].born = graph.links[Int(id.rawValue)].born
            conversations[number].placement = .own
            conversations[number].placed = epoch
            graph.traffic[Int(graph.links[Int(id.rawValue)].traffic)].flows += 1
        }
        flush(number, epoch, &graph)
    }

    /// The parts of a round trip through a tunnel, from the point that counts to what is behind either end. An outer packet's source port
    /// is made from the inner flow (RFC 7348, 5), another one each way, so that the parts come from different conversations: of one point,
    /// but not always of one handshake.
    mutating func tunnelParts(_ parts: (UInt32, UInt32), _ link: LinkID, watch: UInt32) -> (UInt32, UInt32) {
        guard parts.0 != 0 || parts.1 != 0 else { return parts }
        let point = TunnelPoint(link: link, interface: watch)
        let known = tunnelTrips.removeValue(forKey: point) ?? (0, 0)
        let all = (parts.0 == 0 ? known.0 : parts.0, parts.1 == 0 ? known.1 : parts.1)
        if all.0 == 0 || all.1 == 0, tunnelTrips.count < limits.tunnelHalves { tunnelTrips[point] = all }
        return all
    }

    struct TunnelPoint: Hashable {
        var link: LinkID
        var interface: UInt32
    }
}
