import NetworkTypes

/// An address on an interface (RTM_NEWADDR, rtnetlink(7)): a line of `ip address show`.
public struct InterfaceAddress: Sendable, Hashable {
    /// The interface's number in its namespace.
    public var interface: Int32
    public var address: IPAddress
    /// 0...32 or 0...128; with ``address`` it makes the connected prefix.
    public var prefixLength: Int
    /// The other end of a point-to-point link; nil where there is none.
    public var peer: IPAddress?
    public var scope: AddressScope
    /// Tentative, duplicate (DAD failed) or deprecated addresses are not to be used as a source.
    public var isUsable: Bool

    public init(
        interface: Int32, address: IPAddress, prefixLength: Int, peer: IPAddress? = nil, scope: AddressScope = .global,
        isUsable: Bool = true
    ) {
        self.interface = interface
        self.address = address
        self.prefixLength = prefixLength
        self.peer = peer
        self.scope = scope
        self.isUsable = isUsable
    }

    /// The network that is reached directly through the interface.
    public var connected: IPPrefix? { IPPrefix(peer ?? address, length: prefixLength) }
}

/// How far an address or a route reaches (RT_SCOPE_*, rtnetlink(7)).
public struct AddressScope: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let global = AddressScope(rawValue: 0)
    public static let site = AddressScope(rawValue: 200)
    public static let link = AddressScope(rawValue: 253)
    public static let host = AddressScope(rawValue: 254)
    public static let nowhere = AddressScope(rawValue: 255)
}
