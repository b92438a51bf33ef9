import Netlink
import NetworkTypes
import Topology

extension LinkFact {
    /// - Parameters:
    ///   - peerNamespace: the cookie of the namespace that the link's peer is in; nil for the link's own, and where it is not known.
    ///   - speed: bits a second, of hardware.
    init(_ link: LinkObservation, peerNamespace: UInt64?, speed: UInt64?) {
        self.init(
            index: link.index, name: link.name, kind: link.kind, mtu: link.mtu, mac: link.isLayer3 ? nil : MACAddress(bytes: link.address),
            master: link.master, peer: link.peerNamespace == nil || peerNamespace != nil ? link.peer : nil, peerNamespace: peerNamespace,
            isUp: link.flags.contains(.up), hasCarrier: link.flags.contains(.lowerUp), isLoopback: link.flags.contains(.loopback),
            vxlan: link.vxlan.map {
                VXLAN(
                    vni: $0.isMetadataDriven ? nil : $0.vni, local: $0.local, remote: $0.remote, port: $0.destinationPort,
                    underlay: $0.underlay)
            }, tunnel: link.tunnel.map { Tunnel(local: $0.local, remote: $0.remote, key: $0.key) }, vlan: link.vlan?.id,
            vrfTable: link.vrfTable, speed: speed, alias: link.alias)
    }
}

extension MACAddress {
    /// nil for anything but six bytes.
    init?(bytes: [UInt8]) {
        guard bytes.count == 6 else { return nil }
        self.init(rawValue: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
}
