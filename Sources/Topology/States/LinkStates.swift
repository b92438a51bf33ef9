import NetworkTypes

/// How an interface has an address.
public struct AttachmentState: Sendable, Hashable {
    public var prefixLength: UInt8
    public var peer: IPAddress?
    public var scope: AddressScope
    /// Not tentative, duplicate or deprecated.
    public var isUsable: Bool

    public init(prefixLength: UInt8, peer: IPAddress? = nil, scope: AddressScope = .global, isUsable: Bool = true) {
        self.prefixLength = prefixLength
        self.peer = peer
        self.scope = scope
        self.isUsable = isUsable
    }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.flags([isUsable, peer != nil])
        writer.put(prefixLength)
        writer.put(scope.rawValue)
        if let peer { writer.address(peer) }
    }

    init?(from reader: inout ByteReader) {
        guard let has = reader.flags(2), let length = reader.byte(), let scope = reader.byte() else { return nil }
        self.init(prefixLength: length, scope: AddressScope(rawValue: scope), isUsable: has[0])
        guard reader.optional(has[1], &peer, { $0.address() }) else { return nil }
    }
}

/// A link-layer address that a neighbour table or forwarding database has.
public struct StationState: Sendable, Hashable {
    public var mac: MACAddress?
    public var vlan: UInt16?
    /// Made by an administrator, not learned.
    public var isPermanent: Bool

    public init(mac: MACAddress?, vlan: UInt16? = nil, isPermanent: Bool = false) {
        self.mac = mac
        self.vlan = vlan
        self.isPermanent = isPermanent
    }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.flags([isPermanent, mac != nil, vlan != nil])
        if let mac { writer.mac(mac) }
        if let vlan { writer.number(vlan) }
    }

    init?(from reader: inout ByteReader) {
        guard let has = reader.flags(3) else { return nil }
        self.init(mac: nil, isPermanent: has[0])
        guard reader.optional(has[1], &mac, { $0.mac() }), reader.optional(has[2], &vlan, { $0.number(UInt16.self) }) else { return nil }
    }
}

/// What a link can carry, where it is known. How long that takes is measured (``RoundTrips``), and no state.
public struct WireState: Sendable, Hashable {
    /// Bits a second: the slower of the two ends.
    public var capacity: UInt64?

    public init(capacity: UInt64? = nil) { self.capacity = capacity }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.flags([capacity != nil])
        if let capacity { writer.number(capacity) }
    }

    init?(from reader: inout ByteReader) {
        guard let has = reader.flags(1) else { return nil }
        self.init()
        guard reader.optional(has[0], &capacity, { $0.number(UInt64.self) }) else { return nil }
    }
}
