import NetworkTypes

/// What is known of an entity beside its key, as history keeps it: structure and attributes. Rates and counters are series, not state.
public enum EntityState: Sendable, Hashable {
    /// Nothing but that it is there.
    case plain
    case host(HostState)
    /// Whose the namespace is.
    case namespace(owner: String)
    case interface(InterfaceState)
    case route(RouteState)
    case rule(RoutingRule)
    /// Security rules as text.
    case security(String)
    case network(NetworkState)
    case endpoint(EndpointState)
    /// The prefixes that belong to a zone, rising.
    case zone([IPPrefix])
    case attachment(AttachmentState)
    /// Of a neighbour or a forwarding entry.
    case station(StationState)
    /// Of a veth, a port, a device over another.
    case wire(WireState)

    /// The encoding's first byte.
    static let version: UInt8 = 1

    /// Equal states have equal bytes. The first byte is the version, the second the kind of state.
    public var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.put(Self.version)
        switch self {
        case .plain: writer.put(0)
        case .host(let state): state.write(1, to: &writer)
        case .namespace(let owner):
            writer.put(2)
            writer.text(owner)
        case .interface(let state): state.write(3, to: &writer)
        case .route(let state): state.write(4, to: &writer)
        case .rule(let rule):
            writer.put(5)
            rule.write(to: &writer)
        case .security(let text):
            writer.put(6)
            writer.text(text)
        case .network(let state): state.write(7, to: &writer)
        case .endpoint(let state): state.write(8, to: &writer)
        case .zone(let prefixes):
            writer.put(9)
            writer.list(prefixes)
        case .attachment(let state): state.write(10, to: &writer)
        case .station(let state): state.write(11, to: &writer)
        case .wire(let state): state.write(12, to: &writer)
        }
        return writer.bytes
    }

    /// nil for another version, another kind, missing bytes, bytes left over, and any other form than ``encoded`` gives. Never traps.
    public init?(encoded bytes: [UInt8]) {
        guard bytes.count >= 2, bytes[0] == Self.version else { return nil }
        var reader = ByteReader(bytes[2...])
        let state: EntityState?
        switch bytes[1] {
        case 0: state = .plain
        case 1: state = HostState(from: &reader).map(EntityState.host)
        case 2: state = reader.text().map { .namespace(owner: $0) }
        case 3: state = InterfaceState(from: &reader).map(EntityState.interface)
        case 4: state = RouteState(from: &reader).map(EntityState.route)
        case 5: state = RoutingRule(from: &reader).map(EntityState.rule)
        case 6: state = reader.text().map(EntityState.security)
        case 7: state = NetworkState(from: &reader).map(EntityState.network)
        case 8: state = EndpointState(from: &reader).map(EntityState.endpoint)
        case 9: state = reader.list().map(EntityState.zone)
        case 10: state = AttachmentState(from: &reader).map(EntityState.attachment)
        case 11: state = StationState(from: &reader).map(EntityState.station)
        case 12: state = WireState(from: &reader).map(EntityState.wire)
        default: state = nil
        }
        guard let state, reader.isAtEnd else { return nil }
        self = state
    }

    /// Several facts may say something of one entity (an address is an interface's own and another's neighbour): what they say together,
    /// in whichever order they came.
    func merged(with other: EntityState) -> EntityState {
        switch (self, other) {
        case (.endpoint(let a), .endpoint(let b)): .endpoint(a.merged(with: b))
        case (.network(let a), .network(let b)): .network(a.merged(with: b))
        case (.plain, _): other
        case (_, .plain): self
        default: encoded.lexicographicallyPrecedes(other.encoded) ? self : other
        }
    }
}

extension ByteWriter {
    mutating func list(_ prefixes: [IPPrefix]) {
        number(UInt(prefixes.count))
        for prefix in prefixes { self.prefix(prefix) }
    }
}

extension ByteReader {
    mutating func list() -> [IPPrefix]? {
        guard let count = number(UInt32.self) else { return nil }
        var prefixes: [IPPrefix] = []
        for _ in 0..<count {
            guard let prefix = prefix() else { return nil }
            if let last = prefixes.last, !(last < prefix) { return nil }
            prefixes.append(prefix)
        }
        return prefixes
    }
}

extension IPPrefix: Comparable {
    /// By address, the shorter first.
    public static func < (a: IPPrefix, b: IPPrefix) -> Bool { (a.address, a.length) < (b.address, b.length) }
}
