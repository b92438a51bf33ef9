import NetworkTypes

/// The identity of a flow at one observation point: five-tuple, interface, direction, VLAN tags, and for VXLAN the VNI and inner five-tuple.
///
/// Twelve 64-bit words with the byte layout of `struct nilo_flow_key` (`bpf/abi/flow_key.h`), which stays the one definition of the record:
/// the offsets here are checked against it by a test. Kept as words because the flow table hashes and compares hundreds of thousands a second.
public struct FlowKey: Hashable, Sendable {
    public typealias Words = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    public var words: Words

    /// - Parameter bytes: 96 bytes in the layout of `struct nilo_flow_key`, at any alignment.
    @inlinable public init(copying bytes: UnsafeRawPointer) { words = bytes.loadUnaligned(as: Words.self) }

    @inlinable public init() { words = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }

    @inlinable public static func == (a: FlowKey, b: FlowKey) -> Bool {
        let (x, y) = (a.words, b.words)
        let outer =
            (x.0 ^ y.0) | (x.1 ^ y.1) | (x.2 ^ y.2) | (x.3 ^ y.3) | (x.4 ^ y.4) | (x.5 ^ y.5) | (x.6 ^ y.6)
        return outer | (x.7 ^ y.7) | (x.8 ^ y.8) | (x.9 ^ y.9) | (x.10 ^ y.10) | (x.11 ^ y.11) == 0
    }

    @inlinable public func hash(into hasher: inout Hasher) { hasher.combine(mixed) }

    /// A 64-bit mix of all words; not seeded, for the table's own use (its load is bounded, so collisions cost time, not counts).
    @inlinable public var mixed: UInt64 {
        @inline(__always) func mix(_ h: UInt64, _ v: UInt64) -> UInt64 {
            let p = (h ^ v).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return p.high ^ p.low
        }
        let w = words
        var a = mix(mix(mix(mix(0x51_7CC1, w.0), w.1), w.2), w.3)
        let b = mix(mix(mix(0x27_220A, w.4), w.5), w.6)
        if w.7 | w.8 | w.9 | w.10 | w.11 != 0 { a = mix(mix(mix(mix(mix(a, w.7), w.8), w.9), w.10), w.11) }
        return mix(a, b)
    }
}

/// Where a packet was seen on its interface.
public enum Direction: UInt8, Sendable, CaseIterable, Hashable {
    case ingress = 0
    case egress = 1
}

/// How the two port fields of a tuple are to be read (`enum nilo_form`).
public enum TupleForm: UInt8, Sendable, Hashable {
    /// No ports: another IP protocol, ARP, non-IP.
    case none = 0
    case ports = 1
    /// Source: echo identifier or 0. Destination: type << 8 | code.
    case icmp = 2
    /// A later fragment whose first one was not seen.
    case fragment = 3
    /// The header that should hold the ports is cut off or malformed.
    case truncated = 4
}

extension FlowKey {
    @inlinable public var outer: FlowTuple {
        FlowTuple(sourceWords: (words.0, words.1), destinationWords: (words.2, words.3), last: words.4)
    }
    /// The tuple inside the tunnel; nil when the packet was not encapsulated.
    @inlinable public var inner: FlowTuple? {
        isVXLAN ? FlowTuple(sourceWords: (words.7, words.8), destinationWords: (words.9, words.10), last: words.11) : nil
    }
    @inlinable public var interface: InterfaceID { InterfaceID(rawValue: UInt32(truncatingIfNeeded: words.5)) }
    @inlinable public var vni: UInt32? { isVXLAN ? UInt32(truncatingIfNeeded: words.5 &>> 32) : nil }
    /// Outer VLAN identifier, 0...4095; nil when untagged.
    @inlinable public var vlan: UInt16? { Self.tag(UInt16(truncatingIfNeeded: words.6)) }
    /// Identifier of the second tag (QinQ).
    @inlinable public var innerVLAN: UInt16? { Self.tag(UInt16(truncatingIfNeeded: words.6 &>> 16)) }
    @inlinable public var direction: Direction { UInt8(truncatingIfNeeded: words.6 &>> 32) == 0 ? .ingress : .egress }
    @inlinable public var isVXLAN: Bool { UInt8(truncatingIfNeeded: words.6 &>> 40) == 1 }

    @inlinable static func tag(_ field: UInt16) -> UInt16? { field & 0x1000 == 0 ? nil : field & 0xFFF }

    public init(
        outer: FlowTuple, interface: InterfaceID, direction: Direction, vlan: UInt16? = nil, innerVLAN: UInt16? = nil,
        vxlan: (vni: UInt32, inner: FlowTuple)? = nil
    ) {
        func field(_ tag: UInt16?) -> UInt64 { tag.map { UInt64($0 & 0xFFF | 0x1000) } ?? 0 }
        let inner = vxlan?.inner
        words = (
            outer.sourceWords.0, outer.sourceWords.1, outer.destinationWords.0, outer.destinationWords.1, outer.last,
            UInt64(interface.rawValue) | UInt64(vxlan?.vni ?? 0) << 32,
            field(vlan) | field(innerVLAN) << 16 | UInt64(direction.rawValue) << 32 | (vxlan == nil ? 0 : 1 << 40),
            inner?.sourceWords.0 ?? 0, inner?.sourceWords.1 ?? 0, inner?.destinationWords.0 ?? 0, inner?.destinationWords.1 ?? 0,
            inner?.last ?? 0
        )
    }

    /// The same conversation seen from the other side: addresses and ports swapped, direction flipped.
    /// For ICMP the type differs between request and answer, so only the echo pair is matched up.
    public var reversed: FlowKey {
        var key = self
        (key.words.0, key.words.1, key.words.2, key.words.3) = (words.2, words.3, words.0, words.1)
        key.words.4 = outer.reversedLast
        if let inner {
            (key.words.7, key.words.8, key.words.9, key.words.10) = (words.9, words.10, words.7, words.8)
            key.words.11 = inner.reversedLast
        }
        key.words.6 ^= 1 << 32
        return key
    }
}
