import NetworkTypes

/// The filter language: which flows a person, a mirror session, a sampler or a shaping rule means.
///
/// Close to pcap-filter(7), with Nilometer's own words for interfaces, directions and VXLAN. `docs/filter.md` is its reference.
///
/// ## Which tuple a predicate looks at
/// A flow has the tuple of its frame and, when it is VXLAN on an underlay, also the tuple inside. A *packet predicate* (addresses, ports,
/// protocols) without a qualifier holds when it holds for either of them. `outer` and `inner` bind a predicate, or a group in
/// parentheses, to one of them; without a tunnel nothing inside matches. Each plain predicate chooses for itself, so
/// `host A and port 443` can find A outside and the port inside: `inner (host A and port 443)` asks for one packet layer.
/// A *record predicate* (`interface`, `ingress`, `egress`, `vlan`, `vni`, `vxlan`, `dscp`, `tcp flags`, `app`) is about the flow as a whole and
/// takes no notice of `outer` and `inner`.
///
/// `not` turns the result of what it stands before: `not host A` leaves out a flow that has A outside or inside.
public struct FlowFilter: Hashable, Sendable {
    /// nil matches every flow.
    public let expression: Expression?

    public init(_ expression: Expression?) { self.expression = expression }

    /// Matches every flow; written as an empty text.
    public static let everything = FlowFilter(nil)

    /// The longest text that is read, in bytes.
    public static let longestText = 4096
    /// How deep parentheses, `not`, `inner` and `outer` may nest.
    public static let deepestNesting = 64

    public indirect enum Expression: Hashable, Sendable {
        /// All hold. Never empty.
        case all([Expression])
        /// At least one holds. Never empty.
        case any([Expression])
        case not(Expression)
        case layer(Layer, Expression)
        case packet(PacketPredicate)
        case record(RecordPredicate)
    }

    /// Which tuple packet predicates look at.
    public enum Layer: String, Hashable, Sendable, CaseIterable {
        /// The frame's own tuple.
        case outer
        /// The tuple inside VXLAN.
        case inner
    }

    /// Which end of a packet.
    public enum Side: Hashable, Sendable, CaseIterable {
        case either
        case source
        case destination
    }

    /// Protocols that can stand before `port`.
    public enum Transport: String, Hashable, Sendable, CaseIterable {
        case tcp
        case udp
        case sctp
        public var number: IPProtocol {
            switch self {
            case .tcp: .tcp
            case .udp: .udp
            case .sctp: .sctp
            }
        }
    }

    /// What can be said of one tuple.
    public enum PacketPredicate: Hashable, Sendable {
        case host(Side, IPAddress)
        case net(Side, IPPrefix)
        /// In a network of the policy's prefix set of this name.
        case netSet(Side, String)
        /// Holds only where the packet has ports: not for ICMP, nor for fragments of unknown ports.
        case port(Side, ClosedRange<UInt16>, Transport?)
        /// The protocol of an IP packet.
        case ipProtocol(IPProtocol)
        case etherType(EtherType)
    }

    /// What can be said of the flow as a whole.
    public enum RecordPredicate: Hashable, Sendable {
        /// The name of the interface matches the pattern: `NAME`, or `NAMESPACE:NAME`. The latter only in questions.
        case interface(NamePattern)
        case direction(Direction)
        /// One of the tags (the outer or the second one) has this identifier; nil: there is a tag.
        case vlan(UInt16?)
        /// VXLAN with this network identifier; nil: with any.
        case vxlan(UInt32?)
        /// Of the flow's latest packet.
        case dscp(UInt8)
        /// All of these were seen in the flow. Never empty.
        case tcpFlags(TCPFlags)
        /// What the flow was found to be matches the pattern, as a whole (`tls.google`) or in a part (`tls`, `google`). In lower case. Only in
        /// questions: rules decide by what a packet itself shows.
        case application(NamePattern)
    }
}

/// A name, or a pattern of names in which `*` stands for any characters and `?` for one.
public struct NamePattern: Hashable, Sendable {
    public let text: String
    public init(_ text: String) { self.text = text }

    public var isLiteral: Bool { !text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") } }

    /// Compares bytes, as the kernel does with interface names. Takes time in proportion to both lengths at worst.
    public func matches(_ name: String) -> Bool {
        let (pattern, name) = (Array(text.utf8), Array(name.utf8))
        var (p, n) = (0, 0)
        // Where to go on when the characters after the latest `*` turn out not to fit: let it take one more.
        var retry: (p: Int, n: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                retry = (p + 1, n)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == name[n] {
                p += 1
                n += 1
            } else if let back = retry {
                retry = (back.p, back.n + 1)
                (p, n) = (back.p, back.n + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
