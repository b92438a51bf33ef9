/// A protocol number of the IPv4 protocol / IPv6 next header field (IANA "Assigned Internet Protocol Numbers").
public struct IPProtocol: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let icmp = IPProtocol(rawValue: 1)
    public static let tcp = IPProtocol(rawValue: 6)
    public static let udp = IPProtocol(rawValue: 17)
    public static let icmpv6 = IPProtocol(rawValue: 58)
    public static let sctp = IPProtocol(rawValue: 132)
}

/// The type field of an Ethernet frame, host order; 4 (`ETH_P_802_2`) stands for frames with an 802.3 length.
public struct EtherType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let ipv4 = EtherType(rawValue: 0x0800)
    public static let arp = EtherType(rawValue: 0x0806)
    public static let ipv6 = EtherType(rawValue: 0x86DD)
    public static let llc = EtherType(rawValue: 0x0004)
}

/// Nilometer's own identity of an interface, never reused: an ifindex repeats across namespaces and is reused.
public struct InterfaceID: RawRepresentable, Hashable, Sendable, Comparable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable public static func < (a: InterfaceID, b: InterfaceID) -> Bool { a.rawValue < b.rawValue }
}

/// A moment, nanoseconds since the Unix epoch (1970-01-01 UTC).
public struct Timestamp: Hashable, Sendable, Comparable {
    public var nanoseconds: Int64
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    @inlinable public static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Nanoseconds from `b` to `a`.
    @inlinable public static func - (a: Timestamp, b: Timestamp) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
    @inlinable public static func + (a: Timestamp, d: Duration) -> Timestamp {
        let (s, atto) = d.components
        return Timestamp(nanoseconds: a.nanoseconds &+ s &* 1_000_000_000 &+ atto / 1_000_000_000)
    }
}
