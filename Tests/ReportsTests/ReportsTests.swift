import Flows
import Foundation
import NetworkTypes
import Reports
import Testing

@Suite struct LedgerTests {
    private static func totals(_ n: UInt64) -> Totals { Totals(skbs: n, skbBytes: n * 100, wirePackets: n * 2, wireBytes: n * 120) }

    private static func ledger(
        seen: UInt64, slots: UInt64, retired: UInt64, overflow: UInt64, device: LedgerReport.Device? = nil,
        differences: [LedgerReport.Difference] = []
    ) -> LedgerReport {
        LedgerReport(
            seen: totals(seen), inSlots: totals(slots), retired: totals(retired),
            overflow: [.init(reason: .logFull, totals: totals(overflow))],
            device: device, differences: differences)
    }

    @Test func closes() {
        #expect(Self.ledger(seen: 60, slots: 10, retired: 20, overflow: 30).closes)
        let short = Self.ledger(seen: 61, slots: 10, retired: 20, overflow: 30)
        #expect(!short.closes)
        #expect(short.unaccounted == LedgerReport.Rest(packets: 1, bytes: 100))
        #expect(short.unaccountedWire == LedgerReport.Rest(packets: 2, bytes: 120))
        let over = Self.ledger(seen: 59, slots: 10, retired: 20, overflow: 30)
        #expect(over.unaccounted == LedgerReport.Rest(packets: -1, bytes: -100))
        #expect(over.agreesWithDevice == nil)
    }

    /// seen - drops after the hook + what passed it by = device.
    @Test func deviceSide() {
        let device = LedgerReport.Device(packets: 1057, bytes: 105_700, baselinePackets: 1000, baselineBytes: 100_000, counts: .skbs)
        let named = Self.ledger(
            seen: 60, slots: 60, retired: 0, overflow: 0, device: device,
            differences: [.init(.qdiscDrops, packets: 5, bytes: 500), .init(.qdiscBypass, packets: 2, bytes: 200)])
        #expect(named.notSeenAtHook == LedgerReport.Rest(packets: 0, bytes: 0))
        #expect(named.agreesWithDevice == true)
        let unnamed = Self.ledger(seen: 60, slots: 60, retired: 0, overflow: 0, device: device)
        #expect(unnamed.notSeenAtHook == LedgerReport.Rest(packets: -3, bytes: -300))
        #expect(unnamed.agreesWithDevice == false)
    }

    @Test func wireDeviceAndUnsureBaseline() {
        var device = LedgerReport.Device(
            packets: 120, bytes: 7200, baselinePackets: 0, baselineBytes: 0, baselineUnsurePackets: 1, baselineUnsureBytes: 60,
            counts: .wire)
        #expect(Self.ledger(seen: 60, slots: 60, retired: 0, overflow: 0, device: device).notSeenAtHook?.isZero == true)
        device.packets = 121
        device.bytes = 7260
        #expect(Self.ledger(seen: 60, slots: 60, retired: 0, overflow: 0, device: device).agreesWithDevice == true)
        device.packets = 122
        #expect(Self.ledger(seen: 60, slots: 60, retired: 0, overflow: 0, device: device).agreesWithDevice == false)
    }

    @Test func signs() {
        for cause in LedgerReport.Cause.allCases {
            let packets = LedgerReport.Difference(cause, packets: 3, bytes: nil).packets
            #expect(packets == ([.qdiscDrops, .waiting, .driverDrops, .policed, .ethernetHeader].contains(cause) ? -3 : 3))
        }
        #expect(LedgerReport.Difference(.driverDrops, packets: .max, bytes: .max).packets == -Int64.max)
    }

    @Test func survivesJSON() throws {
        let device = LedgerReport.Device(packets: .max, bytes: .max, baselinePackets: 1, baselineBytes: 1, counts: .skbs)
        let ledger = Self.ledger(seen: 61, slots: 10, retired: 20, overflow: 30, device: device)
        #expect(try JSONDecoder().decode(LedgerReport.self, from: JSONEncoder().encode(ledger)) == ledger)
    }
}

@Suite struct FlowReportTests {
    private static func flow(_ tuple: FlowTuple, inner: FlowTuple? = nil, interval: Duration = .seconds(2)) -> FlowReading {
        let key = FlowKey(
            outer: tuple, interface: InterfaceID(rawValue: 7), direction: .egress, vlan: 100, vxlan: inner.map { (42, $0) })
        let traits = FlowTraits(
            first: Timestamp(nanoseconds: 0), last: Timestamp(nanoseconds: 1_500_000_000), handshakeMicroseconds: 120,
            tcpFlags: [.syn, .ack], ecn: 0b1010,
            notes: [.sequenceKnown, .severalCPUs])
        let totals = Totals(skbs: 1, skbBytes: 2, wirePackets: .max, wireBytes: 1 << 60)
        return FlowReading(
            record: FlowRecord(key: key, totals: totals, transport: TransportCounts(retransmitted: 3), traits: traits),
            change: Totals(wirePackets: 10, wireBytes: 1000), interval: interval)
    }
    private static func tcp(_ a: String, _ b: String) -> FlowTuple {
        FlowTuple(
            source: IPAddress(a), destination: IPAddress(b), sourcePort: 40_000, destinationPort: 443, protocol: .tcp, form: .ports,
            etherType: .ipv4)
    }

    @Test func json() throws {
        let report = FlowReport(Self.flow(Self.tcp("10.0.0.1", "10.0.0.2")), interface: "eth0")
        let data = try JSONEncoder().encode(report)
        #expect(try JSONDecoder().decode(FlowReport.self, from: data) == report)
        let text = String(decoding: data, as: UTF8.self)
        #expect(text.contains("\"wirePackets\":18446744073709551615"))
        #expect(!text.contains("vni"))
        #expect(report.bitsPerSecond == 4000)
        #expect(report.packetsPerSecond == 5)
        #expect(report.ecn == ["ect1", "ce"])
        #expect(report.notes == ["several-cpus"])
        #expect(report.tcp?.flags == ["syn", "ack"])
        #expect(report.tcp?.handshakeMicroseconds == 120)
        #expect(report.last == "1970-01-01T00:00:01.500Z")
        #expect(FlowReport(Self.flow(Self.tcp("10.0.0.1", "10.0.0.2"), interval: .zero), interface: "eth0").bitsPerSecond == nil)
    }

    @Test func shapes() {
        let echo = FlowTuple(
            source: IPAddress("::1"), destination: IPAddress("::2"), sourcePort: 77, destinationPort: 128 << 8, protocol: .icmpv6,
            form: .icmp,
            etherType: .ipv6)
        let icmp = TupleReport(echo)
        #expect(icmp.icmpType == 128 && icmp.icmpCode == 0 && icmp.icmpIdentifier == 77 && icmp.sourcePort == nil)
        #expect(icmp.protocol == "icmp6" && icmp.source == "::1")
        let arp = TupleReport(FlowTuple(source: nil, destination: nil, protocol: IPProtocol(rawValue: 0), form: .none, etherType: .arp))
        #expect(arp.etherType == "arp" && arp.protocol == nil && arp.source == nil)
        let fragment = TupleReport(
            FlowTuple(source: IPAddress("10.0.0.1"), destination: IPAddress("10.0.0.2"), protocol: .udp, form: .fragment, etherType: .ipv4))
        #expect(fragment.portsUnknown == "fragment" && fragment.sourcePort == nil)
        let tunnel = FlowReport(Self.flow(Self.tcp("192.0.2.1", "192.0.2.2"), inner: echo), interface: "eth0")
        #expect(tunnel.vni == 42 && tunnel.inner?.protocol == "icmp6" && tunnel.tcp != nil)
    }
}
