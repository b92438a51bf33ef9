import NetworkTypes

/// The host, as its agent tells.
public struct HostState: Sendable, Hashable {
    /// Kernel release (uname(2)).
    public var kernel: String
    public init(kernel: String = "") { self.kernel = kernel }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.text(kernel)
    }

    init?(from reader: inout ByteReader) {
        guard let kernel = reader.text() else { return nil }
        self.kernel = kernel
    }
}

public struct NetworkState: Sendable, Hashable {
    /// The loopback's own: no network of a person's making.
    public var isKernelMade: Bool
    /// What interfaces reach directly in it, or what the configuration says belongs to it; rising.
    public var prefixes: [IPPrefix]

    public init(isKernelMade: Bool = false, prefixes: [IPPrefix] = []) {
        self.isKernelMade = isKernelMade
        self.prefixes = prefixes
    }

    func merged(with other: NetworkState) -> NetworkState {
        NetworkState(
            isKernelMade: isKernelMade && other.isKernelMade,
            prefixes: prefixes == other.prefixes ? prefixes : Set(prefixes + other.prefixes).sorted())
    }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.flags([isKernelMade])
        writer.list(prefixes)
    }

    init?(from reader: inout ByteReader) {
        guard let has = reader.flags(1), let prefixes = reader.list() else { return nil }
        self.init(isKernelMade: has[0], prefixes: prefixes)
    }
}

public struct EndpointState: Sendable, Hashable {
    public var mac: MACAddress?
    /// Of DNS, TLS or HTTP; empty when none is known.
    public var name: String
    /// An interface that is known has the address.
    public var isLocal: Bool
    /// It said that it is a router (NDP), or routes go by it.
    public var isRouter: Bool
    /// The broadcast address of a prefix.
    public var isBroadcast: Bool

    public init(mac: MACAddress? = nil, name: String = "", isLocal: Bool = false, isRouter: Bool = false, isBroadcast: Bool = false) {
        self.mac = mac
        self.name = name
        self.isLocal = isLocal
        self.isRouter = isRouter
        self.isBroadcast = isBroadcast
    }

    /// An interface's own address knows best; else the lesser of two.
    func merged(with other: EndpointState) -> EndpointState {
        let mine = isLocal == other.isLocal ? Self.lesser(mac, other.mac) : isLocal ? mac ?? other.mac : other.mac ?? mac
        let name = name.isEmpty ? other.name : other.name.isEmpty ? name : min(name, other.name)
        return EndpointState(
            mac: mine, name: name, isLocal: isLocal || other.isLocal, isRouter: isRouter || other.isRouter,
            isBroadcast: isBroadcast || other.isBroadcast)
    }

    private static func lesser(_ a: MACAddress?, _ b: MACAddress?) -> MACAddress? {
        guard let a, let b else { return a ?? b }
        return a.rawValue < b.rawValue ? a : b
    }

    func write(_ tag: UInt8, to writer: inout ByteWriter) {
        writer.put(tag)
        writer.flags([isLocal, isRouter, isBroadcast, mac != nil, !name.isEmpty])
        if let mac { writer.mac(mac) }
        if !name.isEmpty { writer.text(name) }
    }

    init?(from reader: inout ByteReader) {
        guard let has = reader.flags(5) else { return nil }
        self.init(isLocal: has[0], isRouter: has[1], isBroadcast: has[2])
        guard reader.optional(has[3], &mac, { $0.mac() }) else { return nil }
        if has[4] {
            guard let text = reader.text(), !text.isEmpty else { return nil }
            name = text
        }
    }
}
