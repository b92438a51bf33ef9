import NetworkTypes

/// Addresses, ports and protocol of one packet layer, in the byte layout of `struct nilo_tuple`.
public struct FlowTuple: Hashable, Sendable {
    @usableFromInline var sourceWords: (UInt64, UInt64)
    @usableFromInline var destinationWords: (UInt64, UInt64)
    /// Source port, destination port (network order), protocol, form, ethertype (host order): little-endian in one word.
    @usableFromInline var last: UInt64

    @inlinable init(sourceWords: (UInt64, UInt64), destinationWords: (UInt64, UInt64), last: UInt64) {
        self.sourceWords = sourceWords
        self.destinationWords = destinationWords
        self.last = last
    }

    public init(
        source: IPAddress?, destination: IPAddress?, sourcePort: UInt16 = 0, destinationPort: UInt16 = 0, protocol: IPProtocol,
        form: TupleForm, etherType: EtherType
    ) {
        sourceWords = source?.fieldWords ?? (0, 0)
        destinationWords = destination?.fieldWords ?? (0, 0)
        last =
            UInt64(sourcePort.byteSwapped) | UInt64(destinationPort.byteSwapped) << 16 | UInt64(`protocol`.rawValue) << 32
            | UInt64(form.rawValue) << 40 | UInt64(etherType.rawValue) << 48
    }

    @inlinable public static func == (a: FlowTuple, b: FlowTuple) -> Bool {
        a.sourceWords == b.sourceWords && a.destinationWords == b.destinationWords && a.last == b.last
    }
    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(sourceWords.0)
        hasher.combine(sourceWords.1)
        hasher.combine(destinationWords.0)
        hasher.combine(destinationWords.1)
        hasher.combine(last)
    }

    /// Source port or, for ICMP, the echo identifier. Host order.
    @inlinable public var sourcePort: UInt16 { UInt16(truncatingIfNeeded: last).byteSwapped }
    /// Destination port or, for ICMP, type << 8 | code. Host order.
    @inlinable public var destinationPort: UInt16 { UInt16(truncatingIfNeeded: last &>> 16).byteSwapped }
    @inlinable public var `protocol`: IPProtocol { IPProtocol(rawValue: UInt8(truncatingIfNeeded: last &>> 32)) }
    @inlinable public var form: TupleForm { TupleForm(rawValue: UInt8(truncatingIfNeeded: last &>> 40)) ?? .none }
    @inlinable public var etherType: EtherType { EtherType(rawValue: UInt16(truncatingIfNeeded: last &>> 48)) }
    /// nil for what is not IP.
    @inlinable public var source: IPAddress? { address(sourceWords) }
    @inlinable public var destination: IPAddress? { address(destinationWords) }

    @inlinable func address(_ words: (UInt64, UInt64)) -> IPAddress? {
        switch etherType {
        case .ipv4: IPAddress(v4Field: words.0)
        case .ipv6: IPAddress(v6Field: words)
        default: nil
        }
    }

    /// `last` with the ports swapped; for an ICMP echo, request and reply types exchanged instead.
    var reversedLast: UInt64 {
        if form == .icmp {
            let type = UInt8(truncatingIfNeeded: last &>> 16)
            let swapped: UInt8? =
                switch (`protocol`, type) {
                case (.icmp, 8): 0
                case (.icmp, 0): 8
                case (.icmpv6, 128): 129
                case (.icmpv6, 129): 128
                default: nil
                }
            return swapped.map { last & ~0xFF_0000 | UInt64($0) << 16 } ?? last
        }
        return last & ~0xFFFF_FFFF | (last & 0xFFFF) << 16 | (last >> 16) & 0xFFFF
    }
}
