import NetworkTypes
import SFlow
import TestSupport
import Testing

@Suite struct SFlowExporterTests {
    private func exporter(_ change: (inout SFlowExporter.Configuration) -> Void = { _ in }) -> SFlowExporter {
        var configuration = SFlowExporter.Configuration(agent: .v4(0x0A00_0001))
        change(&configuration)
        return SFlowExporter(configuration)
    }

    /// One field a line, in the order of the specification.
    private func hex(_ lines: String) -> [UInt8] {
        let digits = lines.split(separator: "\n").flatMap { $0.prefix { $0 != "#" }.filter { !$0.isWhitespace } }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
    }

    @Test func aFlowSampleByteForByte() {
        var exporter = exporter { $0.subAgent = 7 }
        let sample = FlowSample(
            source: 3, samplingRate: 1000, pool: 0x1_0000_1234, drops: 2, input: .index(3), output: .local, wireBytes: 1514,
            strippedTagBytes: 4, vlan: 5)
        exporter.append(sample, header: [0xDE, 0xAD, 0xBE, 0xEF, 0x11], uptime: .milliseconds(61_000))
        let expected = hex(
            """
            00000005            # version
            00000001 0a000001   # agent address: IPv4
            00000007            # sub-agent
            00000001            # sequence number
            0000ee48            # uptime, ms
            00000001            # samples
            00000001 00000058   # flow sample, bytes
            00000001            # sequence number of the source
            00000003            # source: interface 3
            000003e8            # sampling rate
            00001234            # sample pool
            00000002            # drops
            00000003 3fffffff   # input, output
            00000002            # records
            00000001 00000018   # sampled header, bytes
            00000001            # Ethernet
            000005ee            # frame length with FCS
            00000008            # stripped: FCS and a tag
            00000005 deadbeef11000000
            000003e9 00000010   # extended switch, bytes
            00000005 00000000 00000005 00000000
            """)
        #expect(exporter.takeDatagrams() == [expected] && exporter.takeDatagrams().isEmpty)
    }

    @Test func aCounterSampleByteForByte() {
        var exporter = exporter()
        var counters = InterfaceCounterSample(index: 9)
        counters.speed = 10_000_000_000
        counters.duplex = 1
        counters.isOperational = false
        counters.received.octets = 0x1_0000_0002
        (counters.received.unicast, counters.received.multicast, counters.received.discards) = (100, 3, 4)
        counters.received.errors = 5
        counters.sent.octets = 77
        (counters.sent.unicast, counters.sent.discards, counters.sent.errors) = (0x1_0000_0008, 0, 1)
        exporter.append(counters, uptime: .zero)
        let expected = hex(
            """
            00000005 00000001 0a000001 00000000 00000001 00000000 00000001
            00000002 0000006c   # counter sample, bytes
            00000001 00000009   # sequence number, source
            00000001            # records
            00000001 00000058   # generic interface counters, bytes
            00000009 00000006   # ifIndex, ifType
            00000002540be400    # ifSpeed
            00000001 00000001   # ifDirection, ifStatus
            0000000100000002    # ifInOctets
            00000064 00000003 ffffffff 00000004 00000005 ffffffff
            000000000000004d    # ifOutOctets
            00000008 ffffffff ffffffff 00000000 00000001
            00000002            # ifPromiscuousMode
            """)
        #expect(exporter.takeDatagrams() == [expected])
    }

    @Test func theExpandedFormByteForByte() {
        var exporter = exporter {
            $0.isExpanded = true
            $0.agent = .v6(high: 0xFD00_0000_0000_0000, low: 1)
        }
        let sample = FlowSample(
            source: 0x0100_0000, samplingRate: 1, pool: 1, drops: 0, input: .unknown, output: .index(0x0100_0000), framing: .ipv6,
            wireBytes: 60)
        exporter.append(sample, header: [0x60, 0, 0, 0], uptime: .seconds(1))
        exporter.append(InterfaceCounterSample(index: 0x0100_0000), uptime: .seconds(1))
        let expected = hex(
            """
            00000005 00000002 fd000000000000000000000000000001 00000000 00000001 000003e8 00000002
            00000003 00000048   # expanded flow sample
            00000001 00000000 01000000 00000001 00000001 00000000
            00000000 00000000   # input: unknown
            00000000 01000000   # output
            00000001
            00000001 00000014 0000000c 0000003c 00000000 00000004 60000000
            00000004 00000070   # expanded counter sample
            00000001 00000000 01000000 00000001 00000001 00000058
            01000000 00000006 0000000000000000 00000000 00000003
            0000000000000000 ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff
            0000000000000000 ffffffff ffffffff ffffffff ffffffff ffffffff
            00000002
            """)
        #expect(exporter.takeDatagrams() == [expected])
    }

    /// The hits of a super-packet are samples each, and their bytes are the hits' part of its own.
    @Test func hitsAreSamplesEach() throws {
        var exporter = exporter()
        exporter.append(
            FlowSample(
                source: 1, samplingRate: 10, pool: 44, drops: 0, input: .index(1), output: .unknown, hits: 7, wirePackets: 44,
                wireBytes: 66_000),
            header: Array(1...54), uptime: .zero)
        exporter.append(
            FlowSample(source: 1, samplingRate: 10, pool: 45, drops: 0, input: .index(1), output: .unknown, hits: 0, wireBytes: 60),
            header: [1], uptime: .zero)
        var reader = DatagramReader()
        for datagram in exporter.takeDatagrams() { try reader.receive(datagram) }
        #expect(reader.flows.map(\.sequence) == [1, 2, 3, 4, 5, 6, 7] && exporter.flowSamples == 7)
        #expect(reader.flows.reduce(0) { $0 + $1.frameLength - 4 } == 66_000 * 7 / 44)
        #expect(reader.flows.allSatisfy { $0.frameLength == 1504 && $0.header == Array(1...54) && $0.rate == 10 })
    }

    /// Whatever comes, datagrams keep to the bound, everything is in them once, and each source counts for itself.
    @Test(arguments: [false, true], [576, 1400, 9000]) func everythingArrivesOnce(isExpanded: Bool, bound: Int) throws {
        var random = SplitMix64(seed: UInt64(bound))
        var exporter = exporter {
            $0.datagramBound = bound
            $0.isExpanded = isExpanded
            $0.headerBytes = 256
        }
        var reader = DatagramReader()
        var sent: [UInt32: [[UInt8]]] = [:]
        var counted: [UInt32: Int] = [:]
        for _ in 0..<2000 {
            let source = UInt32.random(in: 1...5, using: &random)
            if random.once(in: 10) {
                exporter.append(InterfaceCounterSample(index: source), uptime: .zero)
                counted[source, default: 0] += 1
            } else {
                let header = random.bytes(Int.random(in: 0...300, using: &random))
                let vlan: UInt16? = random.once(in: 3) ? 9 : nil
                exporter.append(
                    FlowSample(
                        source: source, samplingRate: 2, pool: 0, drops: 0, input: .unknown, output: .unknown, wireBytes: 300, vlan: vlan),
                    header: header, uptime: .zero)
                sent[source, default: []].append(Array(header.prefix(256)))
            }
            if random.once(in: 50) {
                for datagram in exporter.takeDatagrams() {
                    #expect(datagram.count <= bound)
                    try reader.receive(datagram)
                }
            }
        }
        for datagram in exporter.takeDatagrams() { try reader.receive(datagram) }
        #expect(reader.sequences == Array(1...Int(exporter.datagramCount)))
        for source in 1...5 {
            let flows = reader.flows.filter { $0.source == source }
            #expect(flows.map(\.sequence) == Array(1...flows.count))
            #expect(flows.map(\.header) == sent[UInt32(source)])
            #expect(reader.counters.filter { $0.source == source }.map(\.sequence) == Array(1...(counted[UInt32(source)] ?? 0)))
        }
    }
}
