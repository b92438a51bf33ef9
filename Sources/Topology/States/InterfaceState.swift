import NetworkTypes

/// An interface as history keeps it. What joins it to others (master, peer, underlay, network) are links.
public struct InterfaceState: Sendable, Hashable {
    /// The link type: `veth`, `bridge`, `vxlan`, …; empty for hardware and the loopback.
    public var kind = ""
    public var mtu: UInt32 = 0
    public var mac: MACAddress?
    public var isUp = false
    public var hasCarrier = false
    public var isLoopback = false
    /// Of VXLAN and GENEVE.
    public var vni: UInt32?
    /// Of tunnels: their ends.
    public var local: IPAddress?
    public var remote: IPAddress?
    /// UDP, of VXLAN.
    public var port: UInt16?
    public var vlan: UInt16?
    /// Bits a second.
    public var speed: UInt64?
    public var alias = ""
    /// Of GRE and VTI: what tells apart the tunnels between two ends.
    public var key: UInt32?
    /// Of a VRF.
    public var table: UInt32?

    public init() {}

    init(_ link: LinkFact) {
        kind = link.kind
        mtu = link.mtu
        mac = link.mac
        isUp = link.isUp
        hasCarrier = link.hasCarrier
        isLoopback = link.isLoopback
        let identifier = link.tunnel?.key
        vni = link.kind == "geneve" ? identifier : link.vxlan?.vni
        key = link.kind == "geneve" ? nil : identifier
        local = link.vxlan?.local ?? link.tunnel?.local
        remote = link.vxlan?.remote ?? link.tunnel?.remote
        port = link.vxlan?.port
        vlan = link.vlan
        table = link.vrfTable
        speed = link.speed
        alias = link.alias
    }

    /// Kinds that need but a number; any other is written out after the number 0. Only ever grows at its end.
    private static let kinds = [
        "", "veth", "bridge", "vxlan", "vlan", "bond", "tun", "macvlan", "ipvlan", "vrf", "gre", "gretap", "ipip", "sit", "wireguard",
        "dummy", "ifb", "geneve", "macvtap", "team",
    ]

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        let fields: [Bool] = [
            isUp, hasCarrier, isLoopback, mac != nil, vni != nil, local != nil, remote != nil, port != nil, vlan != nil, speed != nil,
            !alias.isEmpty, key != nil, table != nil,
        ]
        writer.flags(fields)
        if let known = Self.kinds.firstIndex(of: kind) {
            writer.put(UInt8(known) + 1)
        } else {
            writer.put(0)
            writer.text(kind)
        }
        writer.number(mtu)
        if let mac { writer.mac(mac) }
        if let vni { writer.number(vni) }
        if let local { writer.address(local) }
        if let remote { writer.address(remote) }
        if let port { writer.number(port) }
        if let vlan { writer.number(vlan) }
        if let speed { writer.number(speed) }
        if !alias.isEmpty { writer.text(alias) }
        if let key { writer.number(key) }
        if let table { writer.number(table) }
    }

    init?(from reader: inout ByteReader) {
        guard let has = reader.flags(13), let number = reader.byte(), Int(number) <= Self.kinds.count else { return nil }
        if number == 0 {
            guard let text = reader.text(), !Self.kinds.contains(text) else { return nil }
            kind = text
        } else {
            kind = Self.kinds[Int(number) - 1]
        }
        isUp = has[0]
        hasCarrier = has[1]
        isLoopback = has[2]
        guard let mtu = reader.number(UInt32.self), reader.optional(has[3], &mac, { $0.mac() }),
            reader.optional(has[4], &vni, { $0.number(UInt32.self) }), reader.optional(has[5], &local, { $0.address() }),
            reader.optional(has[6], &remote, { $0.address() }), reader.optional(has[7], &port, { $0.number(UInt16.self) }),
            reader.optional(has[8], &vlan, { $0.number(UInt16.self) }), reader.optional(has[9], &speed, { $0.number(UInt64.self) })
        else { return nil }
        self.mtu = mtu
        if has[10] {
            guard let text = reader.text(), !text.isEmpty else { return nil }
            alias = text
        }
        guard reader.optional(has[11], &key, { $0.number(UInt32.self) }), reader.optional(has[12], &table, { $0.number(UInt32.self) })
        else {
            return nil
        }
    }
}

extension ByteWriter {
    /// Which fields follow, and booleans: a number with a bit each.
    mutating func flags(_ flags: [Bool]) {
        number(flags.enumerated().reduce(UInt32(0)) { $1.element ? $0 | 1 << UInt32($1.offset) : $0 })
    }
}

extension ByteReader {
    /// nil when bits beyond `count` are set.
    mutating func flags(_ count: Int) -> [Bool]? {
        guard let bits = number(UInt32.self), bits >> UInt32(count) == 0 else { return nil }
        return (0..<count).map { bits >> UInt32($0) & 1 != 0 }
    }

    /// Reads a field that is there; false when it could not.
    mutating func optional<T>(_ isThere: Bool, _ field: inout T?, _ read: (inout ByteReader) -> T?) -> Bool {
        guard isThere else { return true }
        field = read(&self)
        return field != nil
    }
}
