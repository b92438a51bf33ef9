import NetworkTypes

/// A network namespace of a host, by name. Names are unique on a host: where two share one, the later made carries its cookie too.
public struct NamespaceKey: Sendable, Hashable {
    public var host: String
    public var name: String

    public init(host: String, name: String) {
        self.host = host
        self.name = name
    }
}

/// A virtual network: the domain in which an address means one endpoint. ``AddressResolution`` says which one an address belongs to.
public enum NetworkKey: Sendable, Hashable {
    /// Everything joined to a VXLAN device of that VNI, on whatever host. `vni/100`.
    case vni(UInt32)
    /// A bridge and what is joined to it, without a VNI. `bridge/web1/init/br0`.
    case bridge(NamespaceKey, String)
    /// What is joined to a VLAN device without a bridge. `vlan/7/web1/init/eth0.7`.
    case vlan(UInt16, NamespaceKey, String)
    /// An interface by itself, or a pair without a bridge. `link/web1/init/eth0`.
    case link(NamespaceKey, String)
    /// Named by the configuration. `net/production`.
    case declared(String)
    /// Beyond everything that is known. `external`.
    case external

    /// One that a person would count: not just the wire of a lone interface.
    public var isVirtual: Bool {
        switch self {
        case .vni, .bridge, .vlan, .declared: true
        case .link, .external: false
        }
    }
}
