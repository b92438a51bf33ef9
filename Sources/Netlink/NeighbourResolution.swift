import CNetlink
import Glibc
import NetworkTypes
import Topology

extension NeighbourState {
    /// The kernel sends to the address, and does not wait for somebody to answer for it (NUD_VALID).
    public var isUsable: Bool { !isDisjoint(with: [.permanent, .noARP, .reachable, .probe, .stale, .delay]) }

    /// Nothing is under way to find out, or to find out again.
    public var isIdle: Bool { isDisjoint(with: [.permanent, .noARP, .reachable, .probe, .delay, .incomplete]) }
}

extension NetlinkSocket {
    /// ip neigh get ADDRESS dev INTERFACE
    ///
    /// - Returns: nil where the kernel has no entry.
    public func neighbour(of address: IPAddress, on interface: Int32) throws(NetlinkError) -> NeighbourState? {
        var state: NeighbourState?
        do throws(NetlinkError) {
            try request(
                RTM_GETNEIGH, Self.neighbourHeader(address, interface), [(Int(NDA_DST), address.netlinkBytes)],
                "look up neighbour \(address)"
            ) { message in
                guard message.type == RTM_NEWNEIGH, let header = message.payload.value(ndmsg.self) else { return }
                state = NeighbourState(rawValue: header.ndm_state)
            }
        } catch  where error.code == ENOENT { return nil }
        return state
    }

    /// ip neigh add ADDRESS dev INTERFACE use
    ///
    /// Has the kernel find out who answers for the address, as if a packet were to be sent there; an entry that is old is confirmed.
    public func resolveNeighbour(_ address: IPAddress, on interface: Int32) throws(NetlinkError) {
        var header = Self.neighbourHeader(address, interface)
        header.ndm_flags = UInt8(NTF_USE)
        try request(
            RTM_NEWNEIGH, flags: NLM_F_CREATE, header, [(Int(NDA_DST), address.netlinkBytes)], "resolve neighbour \(address)")
    }

    private static func neighbourHeader(_ address: IPAddress, _ interface: Int32) -> ndmsg {
        var header = ndmsg()
        header.ndm_family = UInt8(address.bitWidth == 32 ? AF_INET : AF_INET6)
        header.ndm_ifindex = interface
        return header
    }
}
