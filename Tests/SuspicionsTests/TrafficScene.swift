import Flows
import NetworkTypes
import Sketches
import TestSupport

@testable import Suspicions

/// Traffic as the agent tells it to the watch, second by second, at one interface.
struct TrafficScene {
    var watch: SuspicionWatch
    var random: SplitMix64
    private(set) var second: Int64 = 1_000_000
    /// All that was told.
    private(set) var told: [Suspicion] = []
    private var flows: [FlowKey: FlowRecord] = [:]
    let interface = InterfaceID(rawValue: 3)
    var overflow: TrafficSketch?
    let hash = KeyedHash(seed: 0x1234_5678_9abc_def1)

    init(seed: UInt64, limits: SuspicionLimits = SuspicionLimits()) {
        random = SplitMix64(seed: seed)
        watch = SuspicionWatch(limits, hash: hash)
    }

    var now: Timestamp { Timestamp(nanoseconds: second * 1_000_000_000) }

    static func address(_ a: UInt32, _ b: UInt32 = 0, _ c: UInt32 = 0, _ d: UInt32) -> IPAddress { .v4(a << 24 | b << 16 | c << 8 | d) }

    /// Packets of a flow in this second.
    mutating func flow(
        _ source: IPAddress, _ sourcePort: UInt16, _ destination: IPAddress, _ port: UInt16, _ proto: NetworkTypes.IPProtocol = .tcp,
        _ flags: TCPFlags = [], direction: Direction = .ingress, packets: UInt64 = 1, bytes: UInt64 = 60, largest: UInt32? = nil
    ) {
        let key = FlowKey(
            outer: FlowTuple(
                source: source, destination: destination, sourcePort: sourcePort, destinationPort: port, protocol: proto, form: .ports,
                etherType: .ipv4), interface: interface, direction: direction)
        let totals = Totals(skbs: packets, skbBytes: bytes, wirePackets: packets, wireBytes: bytes)
        var record =
            flows[key]
            ?? FlowRecord(key: key, totals: Totals(), transport: TransportCounts(), traits: FlowTraits(first: now, last: now))
        record.totals += totals
        record.traits.last = now
        record.traits.tcpFlags.formUnion(flags)
        record.traits.largest = max(record.traits.largest, largest ?? UInt32(bytes / packets))
        flows[key] = record
        watch.observe(record, gained: totals, now: now)
    }

    /// A connection that a client makes, with what it sends and gets.
    mutating func connection(
        _ client: IPAddress, _ port: UInt16, _ server: IPAddress, _ serverPort: UInt16, sent: UInt64 = 500, received: UInt64 = 20_000,
        outwards: Bool = true
    ) {
        flow(
            client, port, server, serverPort, .tcp, [.syn, .ack, .psh, .fin], direction: outwards ? .egress : .ingress, packets: 6,
            bytes: 400 + sent, largest: UInt32(min(1514, 66 + sent)))
        flow(
            server, serverPort, client, port, .tcp, [.syn, .ack, .psh, .fin], direction: outwards ? .ingress : .egress,
            packets: 4 + received / 1448, bytes: 300 + received, largest: UInt32(min(1514, 66 + received)))
    }

    @discardableResult mutating func turn() -> [Suspicion] {
        second += 1
        let changes = watch.turn(now: now, overflow: overflow)
        overflow = nil
        told += changes
        if flows.count > 50_000 { flows = [:] }
        return changes
    }

    mutating func roll(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    mutating func ephemeral() -> UInt16 { UInt16(roll(32_768..<61_000)) }

    /// A second of a small office behind the interface: pages in bursts with sizes that differ a thousandfold, names asked for, a resolver that is
    /// slow at times, connections of others to a server here, some that nobody answers, and one long transfer if wanted.
    mutating func ordinarySecond(backup: UInt64 = 0) {
        let us = (0..<12).map { Self.address(10, 0, 0, 10 + UInt32($0)) }
        for _ in 0..<roll(3..<40) {
            let client = random.pick(us)
            let server = Self.address(93, 184, UInt32(roll(0..<20)), UInt32(roll(1..<200)))
            let size = UInt64(500) << UInt64(roll(0..<12))
            connection(client, ephemeral(), server, random.once(in: 5) ? 80 : 443, received: size)
        }
        for _ in 0..<roll(5..<60) {
            let (client, port) = (random.pick(us), ephemeral())
            flow(client, port, Self.address(10, 0, 0, 2), 53, .udp, direction: .egress, bytes: 80)
            if !random.once(in: 50) { flow(Self.address(10, 0, 0, 2), 53, client, port, .udp, bytes: 240) }
        }
        for _ in 0..<roll(0..<30) {
            connection(Self.address(172, 16, UInt32(roll(0..<4)), UInt32(roll(1..<250))), ephemeral(), us[0], 8080, outwards: false)
        }
        // A monitoring host whose three targets are down, and a page whose server is.
        for target in 0..<3 where random.once(in: 5) {
            flow(us[1], ephemeral(), Self.address(10, 0, 1, UInt32(target)), 9100, .tcp, .syn, direction: .egress, bytes: 74)
        }
        if random.once(in: 10) {
            flow(us[2], ephemeral(), Self.address(198, 51, 100, UInt32(roll(1..<250))), 443, .tcp, .syn, direction: .egress, bytes: 74)
        }
        if backup > 0 {
            flow(Self.address(10, 0, 0, 3), 873, us[0], 40_000, .tcp, [.syn, .ack], packets: backup / 1514, bytes: backup, largest: 1514)
            flow(
                us[0], 40_000, Self.address(10, 0, 0, 3), 873, .tcp, [.syn, .ack], direction: .egress, packets: backup / 3028,
                bytes: backup / 3028 * 66, largest: 66)
        }
    }
}
