import CDatapath
import Flows
import Foundation
import Glibc
import NetworkTypes
import SFlow
import Sampling
import TestSupport
import Testing

@testable import Datapath

/// Samples of traffic between network namespaces: against the books, and through other people's decoders.
@Suite(.requires(.root, .clsact, .command("ethtool")), .serialized) struct SampledTrafficTests {
    /// A pair whose end `va` is sampled both ways.
    private static func sampled(_ mode: AttachMode, _ sampler: SamplerTables.Sampler, offloads: Offloads? = nil) async throws -> CountedPair
    {
        let counted = try await CountedPair(mode, offloads: offloads)
        try await counted.probe.startSampling(sampler, at: counted.a)
        return counted
    }

    /// Every wire packet of a transfer is a hit where one in one is taken, in both directions, super-packets and all.
    @Test(arguments: AttachMode.both, [Offloads.on, Offloads.off]) func hitsAreTheWire(mode: AttachMode, offloads: Offloads) async throws {
        let counted = try await Self.sampled(mode, .init(oneIn: 1, snapLength: 64), offloads: offloads)
        let transfer = try await TCPTransfer.run(1_000_001, from: counted.pair.a, to: counted.pair.b, Pair.addressB)
        #expect(transfer.received == 1_000_001)
        try await counted.expectExact(onTheWire: offloads.segmentation == false)
        let taken = await counted.probe.takeSamples()
        for direction in Direction.allCases {
            let books = try await counted.probe.books(counted.a, direction).seen
            let ours = taken.filter { $0.key.direction == direction }
            #expect(UInt64(ours.count) == books.skbs)
            #expect(ours.reduce(0) { $0 + UInt64($1.hits) } == books.wirePackets)
            #expect(ours.reduce(0) { $0 + UInt64($1.wireBytes) } == books.wireBytes)
            #expect(ours.allSatisfy { $0.key.interface == counted.a })
        }
    }

    /// Where the kernel keeps the tag of a frame apart from its bytes, a sample says so and the key has it.
    @Test(arguments: AttachMode.both) func theInterfaceAndTheTagAreTold(mode: AttachMode) async throws {
        let counted = try await Self.sampled(mode, .init(oneIn: 1, snapLength: 200))
        let plain: [any PacketLayer] = [IPv4Header(), UDPHeader(from: 6000), RawBytes(count: 30)]
        let tagged = Frame(layers: [EthernetHeader(), VLANTag(5)] + plain)
        try await counted.pair.b.send(tagged, times: 3, on: "vb")
        try await counted.pair.a.send(Frame(layers: [EthernetHeader()] + plain), times: 2, on: "va")
        func ours() async throws -> [TakenSample] { await counted.probe.takeSamples().filter { $0.key.outer.sourcePort == 6000 } }
        let taken = try await ours()
        let received = taken.filter { $0.key.direction == .ingress }
        let index = try await counted.pair.a.index(of: "va")
        #expect(received.count == 3 && received.allSatisfy { $0.key.vlan == 5 && $0.wireBytes == UInt32(tagged.bytes.count) })
        for sample in received {
            var whole = sample.header
            if sample.isTagApart { whole.insert(contentsOf: [0x81, 0, 0, 5], at: 12) }
            #expect(whole == tagged.bytes && sample.ifindex == index)
        }
        let sent = taken.filter { $0.key.direction == .egress }
        #expect(sent.count == 2 && sent.allSatisfy { !$0.isTagApart && $0.key.vlan == nil && $0.ingressIfindex == 0 })
    }

    /// What sfcapd writes down is what the samples say, and what they say is what passed, within three times the interval.
    @Test(.requires(.command("sfcapd"), .command("nfdump")), arguments: AttachMode.both)
    func aCollectorsTotalsAreTheEstimates(mode: AttachMode) async throws {
        let counted = try await Self.sampled(mode, .init(oneIn: 5, snapLength: 128), offloads: .on)
        let receiver = try await UDPReceiver(in: counted.pair.b)
        try await counted.pair.a.sendUDP(3000, size: 200, to: Pair.addressB, port: receiver.port, from: 5000)
        let transfer = try await TCPTransfer.run(2_000_000, from: counted.pair.a, to: counted.pair.b, Pair.addressB)
        var exporter = SFlowExporter(.init(agent: .v4(0x7F00_0001)))
        var estimates = SampleEstimates<UInt16>(limit: 100)
        for sample in await counted.probe.takeSamples() where sample.key.direction == .egress {
            estimates.add(
                sample.key.outer.sourcePort, hits: sample.hits, oneIn: sample.oneIn,
                meanBytes: Double(sample.wireBytes) / Double(sample.wirePackets))
            exporter.append(
                FlowSample(
                    source: sample.ifindex, samplingRate: sample.oneIn, pool: sample.packetsSoFar, drops: sample.lostSoFar,
                    input: .unknown, output: .index(sample.ifindex), hits: sample.hits, wirePackets: sample.wirePackets,
                    wireBytes: sample.wireBytes),
                header: sample.header, uptime: .seconds(1))
        }
        for (port, flow) in [
            (UInt16(5000), try await counted.flow(counted.a, .egress) { $0.outer.sourcePort == 5000 }),
            (transfer.clientPort, try await counted.flow(counted.a, .egress) { $0.outer.sourcePort == transfer.clientPort }),
        ] {
            let sum = try #require(estimates.sums[port])
            for (estimate, truth) in [(sum.packetEstimate, flow.totals.wirePackets), (sum.byteEstimate, flow.totals.wireBytes)] {
                let error = Double(truth) - estimate.value
                #expect(
                    error < 3 * (estimate.high - estimate.value) && -error < 3 * (estimate.value - estimate.low), "\(estimate) \(truth)")
            }
        }
        let collected = try await collect(exporter.takeDatagrams(), in: counted.pair.a)
        for port in [UInt16(5000), transfer.clientPort] {
            let sum = try #require(estimates.sums[port])
            let mine = collected.filter { $0.src_port == Int(port) }
            #expect(Double(mine.reduce(0) { $0 + $1.in_packets }) == sum.packetEstimate.value)
            // Collectors add up the frame lengths that they are told, with FCS; a sample's bytes are rounded to whole ones.
            let bytes = sum.byteEstimate.value + 4 * sum.packetEstimate.value
            #expect(abs(Double(mine.reduce(0) { $0 + $1.in_bytes }) - bytes) <= 5 * Double(sum.hits), "\(mine.count)")
        }
    }

    private struct Collected: Decodable {
        var src_port: Int?
        var in_packets: UInt64
        var in_bytes: UInt64
    }

    /// Sends the datagrams to sfcapd and returns what nfdump reads from its file.
    private func collect(_ datagrams: [[UInt8]], in namespace: NetworkNamespace) async throws -> [Collected] {
        let files = FileManager.default.temporaryDirectory.appending(path: "nilo-sflow-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: files) }
        let collector = try await BackgroundProcess.start(
            ["sfcapd", "-w", files, "-p", "6343", "-b", "127.0.0.1", "-t", "3600"], in: namespace)
        _ = try await eventually(within: .seconds(10)) { try await namespace.sh("ss -Huln sport = 6343").contains("6343") }
        try await namespace.run {
            let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            guard socket >= 0 else { throw SystemError("socket") }
            defer { close(socket) }
            var target = sockaddr_in()
            target.sin_family = sa_family_t(AF_INET)
            target.sin_port = UInt16(6343).bigEndian
            target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            for datagram in datagrams {
                let sent = withUnsafePointer(to: &target) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(socket, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                guard sent == datagram.count else { throw SystemError("sendto") }
                // A collector reads datagrams one by one.
                usleep(200)
            }
        }
        try await Task.sleep(for: .milliseconds(500))
        let (output, _) = try collector.stop()
        let json = try await namespace.sh("nfdump -q -R \(files) -o json")
        let list = json.hasPrefix("[") ? json : "[\(json)]"
        let collected = try JSONDecoder().decode([Collected].self, from: Data(list.utf8))
        #expect(!collected.isEmpty, "\(output)")
        return collected
    }

    /// tshark decodes both kinds of sample; the counters are the device's own, digit for digit.
    @Test(.requires(.command("tshark"), .command("text2pcap"))) func countersAreTheDevicesOwn() async throws {
        let counted = try await Self.sampled(AttachMode.both[0], .init(oneIn: 1, snapLength: 64))
        try await counted.pair.a.sendUDP(17, size: 100, to: Pair.addressB, port: 9)
        let device = try await counted.pair.a.counters(of: "va")
        var counters = InterfaceCounterSample(index: try await counted.pair.a.index(of: "va"))
        counters.speed = 10_000_000_000
        (counters.received.octets, counters.received.unicast) = (device.received.bytes, device.received.packets)
        (counters.sent.octets, counters.sent.unicast) = (device.sent.bytes, device.sent.packets)
        (counters.received.discards, counters.sent.discards) = (device.received.dropped, device.sent.dropped)
        (counters.received.errors, counters.sent.errors) = (device.received.errors, device.sent.errors)
        var exporter = SFlowExporter(.init(agent: .v4(0x7F00_0001)))
        exporter.append(counters, uptime: .seconds(1))
        let samples = await counted.probe.takeSamples().filter { $0.key.direction == .egress && $0.key.outer.destinationPort == 9 }
        for sample in samples {
            exporter.append(
                FlowSample(
                    source: sample.ifindex, samplingRate: sample.oneIn, pool: sample.packetsSoFar, drops: 0, input: .unknown,
                    output: .index(sample.ifindex), wireBytes: sample.wireBytes, vlan: 77),
                header: sample.header, uptime: .seconds(1))
        }
        let datagrams = exporter.takeDatagrams()
        let dump = datagrams.map { datagram in
            stride(from: 0, to: datagram.count, by: 16).map { at in
                String(format: "%06x ", at)
                    + datagram[at..<min(at + 16, datagram.count)].map { String(format: "%02x", $0) }.joined(separator: " ")
            }.joined(separator: "\n")
        }.joined(separator: "\n\n")
        let file = FileManager.default.temporaryDirectory.appending(path: "nilo-sflow-\(UUID().uuidString)").path
        defer { for name in [file, "\(file).pcap"] { try? FileManager.default.removeItem(atPath: name) } }
        try dump.write(toFile: file, atomically: true, encoding: .utf8)
        let verbose = try await counted.pair.a.sh(
            "text2pcap -q -u 6343,6343 \(file) \(file).pcap 2>/dev/null && tshark -r \(file).pcap -d udp.port==6343,sflow -O sflow 2>/dev/null"
        )
        #expect(!verbose.contains("Malformed"))
        func values(_ label: String) -> [String] {
            verbose.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("\(label): ") }.map {
                String($0.dropFirst(label.count + 2))
            }
        }
        #expect(values("Input Octets") == ["\(device.received.bytes)"] && values("Output Octets") == ["\(device.sent.bytes)"])
        #expect(values("Input Packets") == ["\(device.received.packets)"] && values("Output Packets") == ["\(device.sent.packets)"])
        #expect(
            samples.count == 17 && values("Frame Length") == Array(repeating: "146", count: 17),
            "\(verbose.split(separator: "\n").filter { $0.contains("rame Length") || $0.contains("VLAN") })")
        #expect(values("Incoming 802.1Q VLAN") == Array(repeating: "77", count: 17))
    }
}

extension Probe {
    /// Samples everything at an interface by rule 1.
    func startSampling(_ sampler: SamplerTables.Sampler, at id: InterfaceID) throws {
        try withDatapath { datapath in
            samples = try SamplesUnderTest(datapath.maps, sampler)
            try datapath.setRules(id, at: [.ingress, .egress])
        }
    }

    func takeSamples() -> [TakenSample] { samples?.take() ?? [] }
}
