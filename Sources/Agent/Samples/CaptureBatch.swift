import Datapath
import Flows
import NetworkTypes
import PCAPNG

/// Captured packets on their way from the ring to whoever writes them.
struct CaptureBatch: Sendable {
    /// An interface that packets from here on were seen at.
    struct Interface: Sendable {
        var id: InterfaceID
        var name: String
        var linkType: PCAPNGEncoder.LinkType
    }

    /// Records as they stood in the ring, one behind the other; their lengths are multiples of eight.
    private var words: [UInt64] = []
    private(set) var packets: UInt64 = 0
    /// Packets that were lost before these.
    var lost: UInt64 = 0
    var interfaces: [Interface] = []
    /// From the monotonic clock to the time since 1970, nanoseconds.
    var clockOffset: Int64 = 0

    var bytes: Int { words.count * 8 }
    var isEmpty: Bool { packets == 0 && lost == 0 && interfaces.isEmpty }

    mutating func append(_ sample: PacketSample) {
        words.append(contentsOf: sample.recordMemory.bindMemory(to: UInt64.self))
        packets += 1
    }

    /// In the order of their times, until `body` returns false: the ring is read CPU after CPU.
    func forEach(_ body: (CapturedPacket) throws -> Bool) rethrows {
        try words.withUnsafeBytes { records in
            var order: [(time: UInt64, at: Int)] = []
            order.reserveCapacity(Int(packets))
            var isSorted = true
            var at = 0
            while at < records.count {
                let sample = PacketSample(record: records.baseAddress! + at)
                let time = sample.monotonicNanoseconds
                if let last = order.last, last.time > time { isSorted = false }
                order.append((time, at))
                at += sample.recordMemory.count
            }
            if !isSorted { order.sort { ($0.time, $0.at) < ($1.time, $1.at) } }
            for (_, at) in order {
                let sample = PacketSample(record: records.baseAddress! + at)
                guard try body(CapturedPacket(sample: sample, clockOffset: clockOffset)) else { return }
            }
        }
    }
}

/// One captured packet, as a capture file tells it.
struct CapturedPacket {
    let sample: PacketSample
    let clockOffset: Int64

    /// Nanoseconds since 1970.
    var time: UInt64 { UInt64(bitPattern: Int64(bitPattern: sample.monotonicNanoseconds) &+ clockOffset) }
    var direction: PCAPNGEncoder.Direction { sample.key.direction == .ingress ? .inbound : .outbound }
    /// The outer tag goes back between the addresses and the type, where it was on the wire; its priority is not known.
    var tag: (at: Int, bytes: UInt32)? {
        guard sample.isTagApart, let vlan = sample.key.vlan, sample.header.count >= 12 else { return nil }
        return (12, 0x8100_0000 | UInt32(vlan))
    }
}

/// What is said of a flow at its first packet.
struct FlowComments {
    private var seen: Set<UInt64> = []
    /// Then they are said anew.
    private static let bound = 65_536

    /// nil: the flow was met before.
    mutating func first(of key: FlowKey) -> String? {
        if seen.count >= Self.bound { seen.removeAll(keepingCapacity: true) }
        guard seen.insert(key.mixed).inserted else { return nil }
        var text = "flow " + Self.text(key.outer)
        if let vlan = key.vlan { text += " vlan \(vlan)" }
        if let vni = key.vni { text += " vni \(vni)" }
        if let inner = key.inner { text += " inner \(Self.text(inner))" }
        return text
    }

    private static func text(_ tuple: FlowTuple) -> String {
        guard let source = tuple.source, let destination = tuple.destination else {
            return "ethertype 0x" + String(tuple.etherType.rawValue, radix: 16)
        }
        func end(_ address: IPAddress, _ port: UInt16) -> String {
            guard tuple.form == .ports else { return "\(address)" }
            return address.bitWidth == 32 ? "\(address):\(port)" : "[\(address)]:\(port)"
        }
        let names: [IPProtocol: String] = [.icmp: "icmp", .tcp: "tcp", .udp: "udp", .icmpv6: "icmpv6", .sctp: "sctp"]
        let name = names[tuple.protocol] ?? "protocol \(tuple.protocol.rawValue)"
        return "\(end(source, tuple.sourcePort)) > \(end(destination, tuple.destinationPort)) \(name)"
    }
}
