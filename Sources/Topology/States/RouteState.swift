import NetworkTypes

/// What a route does, beside what identifies it (``RouteIdentity``). Interfaces by name: their numbers do not outlive them.
public struct RouteState: Sendable, Hashable {
    public struct Nexthop: Sendable, Hashable {
        /// Empty where the route has none, or one that is gone.
        public var interface: String
        public var gateway: IPAddress?
        /// 1...256.
        public var weight: UInt16
        public var isDead: Bool

        public init(interface: String, gateway: IPAddress? = nil, weight: UInt16 = 1, isDead: Bool = false) {
            self.interface = interface
            self.gateway = gateway
            self.weight = weight
            self.isDead = isDead
        }
    }

    public var kind: RouteKind
    /// RTPROT_*.
    public var origin: UInt8
    public var scope: AddressScope
    public var preferredSource: IPAddress?
    /// Nexthop objects are resolved.
    public var nexthops: [Nexthop]

    public init(
        kind: RouteKind = .unicast, origin: UInt8 = 0, scope: AddressScope = .global, preferredSource: IPAddress? = nil,
        nexthops: [Nexthop] = []
    ) {
        self.kind = kind
        self.origin = origin
        self.scope = scope
        self.preferredSource = preferredSource
        self.nexthops = nexthops
    }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.put(kind.rawValue)
        writer.put(origin)
        writer.put(scope.rawValue)
        writer.number(UInt32(nexthops.count) << 1 | (preferredSource == nil ? 0 : 1))
        if let preferredSource { writer.address(preferredSource) }
        for nexthop in nexthops {
            writer.flags([nexthop.isDead, nexthop.gateway != nil, nexthop.weight != 1])
            writer.text(nexthop.interface)
            if let gateway = nexthop.gateway { writer.address(gateway) }
            if nexthop.weight != 1 { writer.number(nexthop.weight) }
        }
    }

    init?(from reader: inout ByteReader) {
        guard let kind = reader.byte().flatMap(RouteKind.init), let origin = reader.byte(), let scope = reader.byte(),
            let count = reader.number(UInt32.self)
        else { return nil }
        self.init(kind: kind, origin: origin, scope: AddressScope(rawValue: scope))
        guard reader.optional(count & 1 != 0, &preferredSource, { $0.address() }) else { return nil }
        for _ in 0..<count >> 1 {
            guard let has = reader.flags(3), let interface = reader.text() else { return nil }
            var nexthop = Nexthop(interface: interface, isDead: has[0])
            guard reader.optional(has[1], &nexthop.gateway, { $0.address() }) else { return nil }
            if has[2] {
                guard let weight = reader.number(UInt16.self), weight != 1 else { return nil }
                nexthop.weight = weight
            }
            nexthops.append(nexthop)
        }
    }
}
