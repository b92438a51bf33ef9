import Flows
import NetworkTypes
import struct TestSupport.SplitMix64

/// Flows and filters from small pools of values, so that they meet often.
public struct RandomFlows {
    public var random: SplitMix64
    public var values: Values

    public init(seed: UInt64, values: Values = Values()) {
        random = SplitMix64(seed: seed)
        self.values = values
    }

    /// What filters ask for.
    public struct Values {
        public var addresses = RandomFlows.addresses
        public var prefixes = RandomFlows.prefixes
        public var ports = RandomFlows.ports
        public var names = Array(RandomFlows.names.values).sorted() + ["veth*", "v?th1", "*", "and*", "nothing"]
        public var vlans: [UInt16?] = [nil, 0, 7, 100, 4095]
        public var vnis: [UInt32?] = [nil, 0, 42, 0xFF_FFFF]
        public var codepoints: [UInt8] = [0, 46, 63]
        public init() {}
    }

    public static let addresses = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.7", "2001:db8::1", "2001:db8::2", "fe80::1"].map {
        IPAddress($0)!
    }
    public static let prefixes = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "::/0", "2001:db8::/32", "10.0.0.2/32"].map { IPPrefix($0)! }
    public static let ports: [UInt16] = [0, 22, 53, 80, 443, 5353, 65535]
    public static let names: [UInt32: String] = [1: "eth0", 2: "veth1", 3: "veth23", 4: "and", 5: "a\"b\\c d", 6: "Ünï", 7: "(x)"]
    /// One short enough for a test each, one long enough for a lookup, and none at all.
    public static let prefixSets: [String: [IPPrefix]] = [
        "few": ["10.0.0.0/24", "2001:db8::1/128"].map { IPPrefix($0)! },
        "many": ["10.0.0.2/32", "10.0.1.0/24", "10.0.1.1/32", "172.16.0.0/12", "192.0.0.0/8", "2001:db8::2/128", "fe80::/10"].map {
            IPPrefix($0)!
        },
        "none": [],
    ]
    public static func contains(_ name: String, _ address: IPAddress) -> Bool {
        prefixSets[name]!.contains { $0.contains(address) }
    }
    public static func name(_ id: InterfaceID) -> String? { names[id.rawValue] }

    public mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    public mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    public mutating func tuple() -> FlowTuple {
        if chance(8) {
            let type: EtherType = pick([.arp, .llc, EtherType(rawValue: 0x88CC)])
            return FlowTuple(source: nil, destination: nil, protocol: IPProtocol(rawValue: 0), form: .none, etherType: type)
        }
        let v4 = chance(60)
        let pool = Self.addresses.filter { $0.isV4 == v4 }
        let proto: IPProtocol = pick([.tcp, .tcp, .udp, .udp, .sctp, .icmp, .icmpv6, IPProtocol(rawValue: 47)])
        let form: TupleForm =
            switch proto {
            case .icmp, .icmpv6: .icmp
            case .tcp, .udp, .sctp: pick([.ports, .ports, .ports, .fragment, .truncated])
            default: .none
            }
        let ported = form == .ports || form == .icmp
        return FlowTuple(
            source: pick(pool), destination: pick(pool), sourcePort: ported ? pick(Self.ports) : 0,
            destinationPort: ported ? pick(Self.ports) : 0, protocol: proto, form: form, etherType: v4 ? .ipv4 : .ipv6)
    }

    public mutating func record() -> FlowRecord {
        let vlan: UInt16? = chance(30) ? pick([0, 100, 4095]) : nil
        let key = FlowKey(
            outer: tuple(), interface: InterfaceID(rawValue: UInt32.random(in: 1...8, using: &random)),
            direction: pick([.ingress, .egress]),
            vlan: vlan, innerVLAN: vlan != nil && chance(50) ? pick([7, 100]) : nil,
            vxlan: chance(30) ? (pick([0, 42, 0xFF_FFFF]), tuple()) : nil)
        let packets = UInt64.random(in: 1...100_000, using: &random)
        let totals = Totals(skbs: packets, skbBytes: packets * 1500, wirePackets: packets + 3, wireBytes: packets * 1400)
        let traits = FlowTraits(
            first: Timestamp(nanoseconds: Int64.random(in: 0...1000, using: &random)),
            last: Timestamp(nanoseconds: Int64.random(in: 1000...9000, using: &random)),
            handshakeMicroseconds: pick([0, 100, 250]), tcpFlags: TCPFlags(rawValue: UInt16.random(in: 0..<512, using: &random)),
            dscp: pick([0, 46, 8]))
        return FlowRecord(key: key, totals: totals, transport: TransportCounts(retransmitted: pick([0, 1, 7])), traits: traits)
    }

    public mutating func expression(depth: Int) -> FlowFilter.Expression {
        if depth > 0, chance(60) {
            switch UInt8.random(in: 0..<4, using: &random) {
            case 0: return .all((0..<Int.random(in: 2...4, using: &random)).map { _ in expression(depth: depth - 1) })
            case 1: return .any((0..<Int.random(in: 2...4, using: &random)).map { _ in expression(depth: depth - 1) })
            case 2: return .not(expression(depth: depth - 1))
            default: return .layer(pick([.inner, .outer]), expression(depth: depth - 1))
            }
        }
        return chance(60) ? .packet(packetPredicate()) : .record(recordPredicate())
    }

    private mutating func packetPredicate() -> FlowFilter.PacketPredicate {
        let side = pick(FlowFilter.Side.allCases)
        switch UInt8.random(in: 0..<6, using: &random) {
        case 0: return .host(side, pick(values.addresses))
        case 1: return .net(side, pick(values.prefixes))
        case 2:
            let ends = [pick(values.ports), pick(values.ports)].sorted()
            return .port(side, ends[0]...(chance(50) ? ends[1] : ends[0]), pick([nil, .tcp, .udp, .sctp]))
        case 3: return .netSet(side, pick(["few", "many", "many", "none"]))
        case 4: return .ipProtocol(pick([.tcp, .udp, .icmp, .icmpv6, .sctp, IPProtocol(rawValue: 47), IPProtocol(rawValue: 200)]))
        default: return .etherType(pick([.ipv4, .ipv6, .arp, EtherType(rawValue: 0x88CC), .llc]))
        }
    }

    private mutating func recordPredicate() -> FlowFilter.RecordPredicate {
        switch UInt8.random(in: 0..<6, using: &random) {
        case 0: return .interface(NamePattern(pick(values.names)))
        case 1: return .direction(pick([.ingress, .egress]))
        case 2: return .vlan(pick(values.vlans))
        case 3: return .vxlan(pick(values.vnis))
        case 4: return .dscp(pick(values.codepoints))
        default: return .tcpFlags(TCPFlags(rawValue: UInt16.random(in: 1..<512, using: &random)))
        }
    }
}
