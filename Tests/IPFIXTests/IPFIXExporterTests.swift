import Flows
import IPFIX
import NetworkTypes
import struct TestSupport.SplitMix64
import Testing

private func tuple(_ from: String, _ to: String, _ proto: IPProtocol, _ ports: (UInt16, UInt16), form: TupleForm = .ports) -> FlowTuple {
    let source = IPAddress(from)!
    return FlowTuple(
        source: source, destination: IPAddress(to), sourcePort: ports.0, destinationPort: ports.1, protocol: proto, form: form,
        etherType: source.isV4 ? .ipv4 : .ipv6)
}

private func random(_ random: inout SplitMix64) -> ExportedFlow {
    func address(_ v4: Bool) -> String {
        v4
            ? IPAddress.v4(UInt32.random(in: 0 ... .max, using: &random)).description
            : IPAddress.v6(high: random.next(), low: random.next()).description
    }
    func any() -> FlowTuple {
        if UInt8.random(in: 0..<8, using: &random) == 0 {
            return FlowTuple(source: nil, destination: nil, protocol: IPProtocol(rawValue: 0), form: .none, etherType: .arp)
        }
        let v4 = Bool.random(using: &random)
        let form: TupleForm = Bool.random(using: &random) ? .ports : .icmp
        let proto: IPProtocol = form == .ports ? .udp : v4 ? .icmp : .icmpv6
        return tuple(
            address(v4), address(v4), proto, (UInt16.random(in: 0 ... .max, using: &random), UInt16.random(in: 0 ... .max, using: &random)),
            form: form)
    }
    let vlan: UInt16? = Bool.random(using: &random) ? UInt16.random(in: 0..<4096, using: &random) : nil
    let key = FlowKey(
        outer: any(), interface: InterfaceID(rawValue: UInt32.random(in: 1..<100, using: &random)),
        direction: Bool.random(using: &random) ? .ingress : .egress, vlan: vlan, innerVLAN: vlan.map { $0 / 2 },
        vxlan: UInt8.random(in: 0..<3, using: &random) == 0 ? (UInt32.random(in: 0..<1 << 24, using: &random), any()) : nil)
    let packets = UInt64.random(in: 1..<1 << 30, using: &random)
    let traits = FlowTraits(
        first: Timestamp(nanoseconds: Int64.random(in: 0..<1 << 60, using: &random)), last: Timestamp(nanoseconds: 1 << 60), smallest: 60,
        largest: 1514, tcpFlags: [.syn, .ae], dscp: 46, ecn: 2, ttlMinimum: 63, ttlMaximum: 64)
    return ExportedFlow(
        key: key, interfaceIndex: UInt32.random(in: 1..<1000, using: &random),
        delta: Totals(wirePackets: packets, wireBytes: packets * 100),
        traits: traits, endReason: .activeTimeout)
}

@Suite struct IPFIXExporterTests {
    static let now = Timestamp(nanoseconds: 1_700_000_000_500_000_000)

    private static let simple = ExportedFlow(
        key: FlowKey(
            outer: tuple("10.0.0.1", "10.0.0.2", .tcp, (40_000, 443)), interface: InterfaceID(rawValue: 7), direction: .egress, vlan: 100),
        interfaceIndex: 3, delta: Totals(skbs: 1, skbBytes: 3018, wirePackets: 2, wireBytes: 3036),
        traits: FlowTraits(
            first: Timestamp(nanoseconds: 1_700_000_000_000_999_999), last: Timestamp(nanoseconds: 1_700_000_000_250_000_000), smallest: 60,
            largest: 1518,
            tcpFlags: [.syn, .ack], dscp: 46, ecn: 0b0100, ttlMinimum: 63, ttlMaximum: 64), endReason: .idleTimeout)

    /// The bytes of a message, computed by hand from RFC 7011 and the element registry.
    @Test func goldenMessage() {
        var exporter = IPFIXExporter()
        _ = exporter.datagrams(for: [], at: Self.now)
        let before = exporter.sequence
        let messages = exporter.datagrams(for: [Self.simple], at: Self.now)
        let parts: [[UInt8]] = [
            // Header: version, length 112, export time, sequence, domain.
            [0x00, 0x0A, 0x00, 0x70], [0x65, 0x53, 0xF1, 0x00], [0, 0, 0, UInt8(before)], [0, 0, 0, 1],
            // Set 256 of 96 bytes.
            [0x01, 0x00, 0x00, 0x60],
            // flowStartMilliseconds 1700000000000 and flowEndMilliseconds 1700000000250.
            [0, 0, 0x01, 0x8B, 0xCF, 0xE5, 0x68, 0x00], [0, 0, 0x01, 0x8B, 0xCF, 0xE5, 0x68, 0xFA],
            // Packets, layer 2 octets.
            [0, 0, 0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0, 0x0B, 0xDC],
            // Observation point, ingress and egress interface, direction, idle timeout.
            [0, 0, 0, 0, 0, 0, 0, 7], [0, 0, 0, 0], [0, 0, 0, 3], [1], [1],
            // vlanId, dot1qVlanId, dot1qCustomerVlanId.
            [0, 100], [0, 100], [0, 0],
            // Octets 3036 - 2 * 18, shortest, longest.
            [0, 0, 0, 0, 0, 0, 0x0B, 0xB8], [0, 0, 0, 42], [0, 0, 0x05, 0xDC],
            // EF with ECT(0), SYN and ACK, TTLs.
            [0xBA], [0x00, 0x12], [63], [64],
            [10, 0, 0, 1], [10, 0, 0, 2], [0x9C, 0x40], [0x01, 0xBB], [6], [0, 0],
        ]
        let expected = Array(parts.joined())
        #expect(messages == [expected])
    }

    @Test func goldenTemplate() throws {
        var exporter = IPFIXExporter()
        let first = try #require(exporter.datagrams(for: [], at: Self.now).first)
        let ids: [Int] = [
            152, 153, 2, 352, 138, 10, 14, 61, 136, 58, 243, 245, 1, 25, 26, 5, 6, 52, 53, 8, 12, 7, 11, 4, 32,
        ]
        let lengths: [Int] = [8, 8, 8, 8, 8, 4, 4, 1, 1, 2, 2, 2, 8, 4, 4, 1, 2, 1, 1, 4, 4, 2, 2, 1, 2]
        let fields = zip(ids, lengths).flatMap { (id: Int, length: Int) -> [UInt8] in [UInt8(id >> 8), UInt8(id & 255), 0, UInt8(length)] }
        #expect(Array(first[16..<18]) == [0, 2])
        #expect(Array(first[20..<24]) == [1, 0, 0, 25])
        #expect(Array(first[24..<24 + fields.count]) == fields)
    }

    /// What goes in comes out, field by field, through an independent decoder, for every message size.
    @Test(arguments: [576, 600, 1400, 9000, 65_535], [TunnelView.both, .outer]) func decodesToWhatWentIn(bound: Int, tunnel: TunnelView)
        throws
    {
        var generator = SplitMix64(seed: UInt64(bound))
        var configuration = IPFIXExporter.Configuration()
        configuration.messageBound = bound
        configuration.tunnel = tunnel
        var exporter = IPFIXExporter(configuration)
        var collector = Collector()
        var sent: [ExportedFlow] = []
        for round in 0..<20 {
            let flows = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in random(&generator) }
            sent += flows
            let messages = exporter.datagrams(for: flows, at: Timestamp(nanoseconds: Self.now.nanoseconds + Int64(round) * 1_000_000_000))
            #expect(messages.allSatisfy { $0.count <= bound && !$0.isEmpty })
            for message in messages { try collector.receive(message) }
        }
        #expect(collector.expected == exporter.sequence)
        let records = collector.records.filter { $0.template < 300 }
        #expect(records.count == sent.count)
        #expect(exporter.exportedRecords == UInt64(sent.count))
        func signature(_ r: Collector.Record) -> String { "\(r.number(152)!) \(r.number(2)!) \(r.number(138)!)" }
        let byStart = Dictionary(records.map { (signature($0), $0) }, uniquingKeysWith: { a, _ in a })
        for flow in sent {
            let record = try #require(
                byStart["\(flow.traits.first.nanoseconds / 1_000_000) \(flow.delta.wirePackets) \(flow.key.interface.rawValue)"])
            Self.compare(record, flow, tunnel)
        }
    }

    private static func compare(_ record: Collector.Record, _ flow: ExportedFlow, _ tunnel: TunnelView) {
        let key = flow.key
        #expect(record.number(352) == flow.delta.wireBytes)
        #expect(record.number(61) == (key.direction == .ingress ? 0 : 1))
        #expect(record.number(10) == (key.direction == .ingress ? UInt64(flow.interfaceIndex) : 0))
        #expect(record.number(14) == (key.direction == .egress ? UInt64(flow.interfaceIndex) : 0))
        #expect(record.number(243) == UInt64(key.vlan ?? 0))
        #expect(record.number(245) == UInt64(key.innerVLAN ?? 0))
        #expect(record.number(136) == 2)
        let isIP = key.outer.source != nil
        let link: UInt64 = 14 + (key.vlan == nil ? 0 : 4) + (key.innerVLAN == nil ? 0 : 4)
        #expect(record.number(1) == (isIP ? flow.delta.wireBytes - link * flow.delta.wirePackets : nil))
        #expect(record.number(26) == (isIP ? 1514 - link : nil))
        var layers = [key.outer]
        let tunnelled = tunnel == .both && isIP && key.isVXLAN
        #expect(record.number(351) == (tunnelled ? 1 << 56 | UInt64(key.vni!) : nil))
        if tunnelled, let inner = key.inner { layers.append(inner) }
        var met: [Int: Int] = [:]
        func next(_ element: Int) -> [UInt8]? {
            defer { met[element, default: 0] += 1 }
            return record.bytes(element, occurrence: met[element, default: 0])
        }
        func bytes(_ n: UInt16) -> [UInt8] { [UInt8(n >> 8), UInt8(n & 255)] }
        for layer in layers {
            guard let source = layer.source, let destination = layer.destination else {
                #expect(next(256) == bytes(layer.etherType.rawValue))
                continue
            }
            #expect(next(source.isV4 ? 8 : 27) == wire(source))
            #expect(next(source.isV4 ? 12 : 28) == wire(destination))
            #expect(next(7) == bytes(layer.form == .ports ? layer.sourcePort : 0))
            #expect(next(11) == bytes(layer.form == .ports ? layer.destinationPort : 0))
            #expect(next(4) == [layer.protocol.rawValue])
            #expect(next(source.isV4 ? 32 : 139) == bytes(layer.form == .icmp ? layer.destinationPort : 0))
        }
        #expect(record.values.filter { [8, 27, 256].contains($0.element) }.count == layers.count)
    }

    private static func wire(_ address: IPAddress) -> [UInt8] {
        switch address {
        case .v4(let a): (0..<4).map { UInt8(truncatingIfNeeded: a >> UInt32(24 - 8 * $0)) }
        case .v6(let high, let low): [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
        }
    }

    @Test func templatesAreRepeatedOverUDP() throws {
        var configuration = IPFIXExporter.Configuration()
        configuration.templateMessages = 5
        var exporter = IPFIXExporter(configuration)
        var collector = Collector()
        func templates(after seconds: Int64) throws -> Int {
            let before = collector.templateRecords
            for message in exporter.datagrams(for: [Self.simple], at: Timestamp(nanoseconds: seconds * 1_000_000_000)) {
                try collector.receive(message)
            }
            return collector.templateRecords - before
        }
        #expect(try templates(after: 100) == 12)
        #expect(try templates(after: 159) == 0)
        #expect(try templates(after: 160) == 12)  // time
        for second in 161...163 { #expect(try templates(after: Int64(second)) == 0) }
        var repeated = 0
        for second in 164...170 { repeated += try templates(after: Int64(second)) }
        #expect(repeated >= 12 && repeated % 12 == 0)  // messages
        #expect(try templates(after: 50) == 12)  // a clock that was set back
    }

    @Test func tcpSaysTemplatesOnce() throws {
        var configuration = IPFIXExporter.Configuration()
        configuration.transport = .tcp
        var exporter = IPFIXExporter(configuration)
        var collector = Collector()
        for round in 0..<1000 {
            for message in exporter.datagrams(for: [Self.simple], at: Timestamp(nanoseconds: Int64(round) * 10_000_000_000)) {
                try collector.receive(message)
            }
        }
        #expect(collector.templateRecords == 12)
        exporter.sessionStarted()
        #expect(exporter.sequence == 0)
        var other = Collector()
        for message in exporter.datagrams(for: [Self.simple], at: Self.now) { try other.receive(message) }
        #expect(other.templateRecords == 12)
        #expect(other.records.count { $0.template < 300 } == 1)
    }

    @Test func statisticsAndNames() throws {
        var exporter = IPFIXExporter()
        exporter.interfaces = [
            IPFIXExporter.Interface(identity: InterfaceID(rawValue: 7), index: 3, name: "eth0"),
            IPFIXExporter.Interface(identity: InterfaceID(rawValue: 8), index: 4, name: String(repeating: "x", count: 300)),
        ]
        exporter.losses.ignoredPackets = 5
        exporter.losses.notSentFlows = 6
        exporter.sampling = IPFIXExporter.Sampling(interval: 1, space: 99)
        var collector = Collector()
        let first = exporter.datagrams(for: [Self.simple], at: Self.now)
        for message in first { try collector.receive(message) }
        let statistics = try #require(collector.records.first { $0.template == 320 })
        #expect(statistics.number(41) == 0)
        #expect(statistics.number(164) == 5)
        #expect(statistics.number(166) == 6)
        let sampling = try #require(collector.records.first { $0.template == 321 })
        #expect(sampling.number(304) == 1)
        #expect(sampling.number(305) == 1)
        #expect(sampling.number(306) == 99)
        let names = collector.records.filter { $0.template == 322 }
        #expect(names.map { $0.bytes(82).map { String(decoding: $0, as: UTF8.self).prefix(4) } } == ["eth0", "xxxx"])
        #expect(names.map { $0.number(10) } == [3, 4])
        for message in exporter.datagrams(for: [], at: Timestamp(nanoseconds: Self.now.nanoseconds + 61_000_000_000)) {
            try collector.receive(message)
        }
        let later = try #require(collector.records.last { $0.template == 320 })
        #expect(later.number(41) == UInt64(first.count))
        #expect(later.number(42) == 1)
        #expect(later.number(40) == UInt64(first.reduce(0) { $0 + $1.count }))
        #expect(collector.exportTimes.first == 1_700_000_000)
    }

    @Test func nothingDueMeansNoMessage() {
        var exporter = IPFIXExporter()
        #expect(!exporter.datagrams(for: [], at: Self.now).isEmpty)
        #expect(exporter.datagrams(for: [], at: Self.now).isEmpty)
    }

    /// Counts that cannot be (fewer bytes than headers) do not trap.
    @Test func impossibleCounts() throws {
        var flow = Self.simple
        flow.delta = Totals(wirePackets: .max, wireBytes: 1)
        flow.traits.smallest = 0
        flow.traits.first = Timestamp(nanoseconds: -5)
        var exporter = IPFIXExporter()
        var collector = Collector()
        for message in exporter.datagrams(for: [flow], at: Timestamp(nanoseconds: -1)) { try collector.receive(message) }
        let record = try #require(collector.records.last)
        #expect(record.number(1) == 0)
        #expect(record.number(25) == 0)
        #expect(record.number(152) == 0)
    }
}

extension IPFIXExporter {
    /// As a collector gets them.
    fileprivate mutating func datagrams(for flows: some Sequence<ExportedFlow>, at now: Timestamp) -> [[UInt8]] {
        let messages = messages(for: flows, at: now)
        // Each flow is carried by one of them.
        var sum = ExportedAmount()
        for message in messages { sum += message.carried }
        #expect(sum == ExportedAmount(flows))
        return messages.map(\.bytes)
    }
}
