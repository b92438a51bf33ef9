import CDatapath
import CLinux
import Flows
import Glibc
import NetworkTypes
import Sketches
import TestSupport
import Testing

@testable import Datapath

/// What the programs sketch of packets without a slot, against the same in Swift.
@Suite(.requires(.root)) struct SketchTests {
    private static let tiny = TableGeometry(flows: 64, logRecordsPerCPU: 32, ledgers: 8, ghosts: 64)
    private static let hash = KeyedHash(seed: 0x1234_5678_9abc_def1)

    /// A frame, and what it has to add.
    private struct Shape {
        var frame: Frame
        var source: String
        var destination: String
        var port: UInt16
        var isSYN: Bool
        var opens: Bool
    }

    private static func shape(_ random: inout SplitMix64) -> Shape {
        let isIPv6 = random.once(in: 4)
        func address(_ network: Int) -> String {
            let host = Int.random(in: 1...250, using: &random)
            return isIPv6 ? "fd00:\(network)::\(String(host, radix: 16))" : "10.\(network).0.\(host)"
        }
        let (source, destination) = (address(1), address(2))
        let ip: any PacketLayer = isIPv6 ? IPv6Header(from: source, to: destination) : IPv4Header(from: source, to: destination)
        let (from, to) = (UInt16.random(in: 1...65535, using: &random), UInt16.random(in: 1...65535, using: &random))
        let payload = RawBytes(count: Int.random(in: 0...600, using: &random))
        if random.once(in: 3) {
            let frame = Frame(EthernetHeader(), ip, UDPHeader(from: from, to: to), payload)
            return Shape(frame: frame, source: source, destination: destination, port: to, isSYN: false, opens: to <= from)
        }
        let flags = random.pick([TCPHeader.Flags.syn, .syn, .ack, [.syn, .ack], .rst])
        let frame = Frame(EthernetHeader(), ip, TCPHeader(from: from, to: to, flags), payload)
        return Shape(frame: frame, source: source, destination: destination, port: to, isSYN: flags == .syn, opens: flags == .syn)
    }

    private static func add(_ shape: Shape, _ bench: isolated ProgramBench, _ direction: Direction, to sketch: inout TrafficSketch) throws {
        func host(_ text: String) throws -> (SIMD2<UInt64>, UInt64, Bool) {
            let address = try #require(IPAddress(text))
            let words = address.fieldWords
            if case .v6 = address { return (SIMD2(words.0, words.1), hash(words.0, words.1), true) }
            return (SIMD2(words.0, words.1), hash(words.0, words.1), false)
        }
        let (source, from, isIPv6) = try host(shape.source)
        let (destination, to, _) = try host(shape.destination)
        let port = hash(UInt64(shape.port.byteSwapped))
        sketch.packets += 1
        if shape.opens {
            sketch.sources.add(from)
            sketch.destinations.add(to)
            sketch.ports.add(port)
        }
        func packet(_ address: SIMD2<UInt64>, _ host: UInt64, _ peer: UInt64) -> HostSketch.Packet {
            var packet = HostSketch.Packet(
                address: address, host: host, peer: peer, port: port, isOpening: shape.isSYN, opens: shape.opens)
            packet.isIPv6 = isIPv6
            packet.isEgress = direction == .egress
            packet.interface = bench.interface.rawValue
            return packet
        }
        sketch.bySource.add(packet(source, from, to))
        sketch.byDestination.add(packet(destination, to, from))
    }

    private static func fill(_ bench: isolated ProgramBench) throws {
        for flow in 0..<2000 {
            try bench.send(Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: UInt16(1 + flow)), RawBytes(count: 9)))
        }
        #expect(!bench.books(.ingress)[.logFull].isZero)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func packetsWithoutASlotAreSketchedAsInSwift(seed: UInt64) async throws {
        let bench = try ProgramBench(geometry: Self.tiny)
        try await bench.perform { bench in
            let reader = try #require(try SketchReader(maps: bench.maps))
            try Self.fill(bench)
            #expect(reader.take() != nil && reader.take() == nil)
            var random = SplitMix64(seed: seed)
            for _ in 0..<3 {
                var expected = TrafficSketch()
                let before = bench.books(.ingress)[.logFull].skbs + bench.books(.egress)[.logFull].skbs
                for _ in 0..<1500 {
                    let shape = Self.shape(&random)
                    let direction: Direction = random.once(in: 2) ? .ingress : .egress
                    try bench.send(shape.frame, direction)
                    try Self.add(shape, bench, direction, to: &expected)
                }
                #expect(bench.books(.ingress)[.logFull].skbs + bench.books(.egress)[.logFull].skbs - before == 1500)
                let sketch = try #require(reader.take())
                #expect(sketch.packets == 1500 && sketch.bySource.total == expected.bySource.total)
                #expect(sketch == expected)
            }
        }
    }

    /// Inside VXLAN the inner addresses count.
    @Test func tunnelsAreLookedInto() async throws {
        let bench = try ProgramBench(geometry: Self.tiny)
        try await bench.perform { bench in
            let reader = try #require(try SketchReader(maps: bench.maps))
            try Self.fill(bench)
            _ = reader.take()
            for port in 1...200 {
                try bench.send(
                    Frame(
                        EthernetHeader(), IPv4Header(), UDPHeader(from: 50_000, to: VXLANHeader.port), VXLANHeader(vni: 7),
                        EthernetHeader(),
                        IPv4Header(from: "192.168.0.7", to: "192.168.0.9"), TCPHeader(to: UInt16(port), .syn), RawBytes(count: 0)))
            }
            let sketch = try #require(reader.take())
            let host = try #require(sketch.bySource.hosts.first)
            #expect(sketch.packets == 200 && host.address == IPAddress("192.168.0.7"))
            #expect(abs(host.ports - 200) < 2 * HostSketch.relativeError * 200 && host.peers < 1.5, "\(host)")
            #expect(sketch.byDestination.openings(ofHash: Self.hash(IPAddress("192.168.0.9")!.fieldWords.0)) == 200)
        }
    }

    /// Half of the packets on each CPU; the sum is the sketch of all of them.
    @Test func theSumOverCPUsIsTheWhole() async throws {
        let bench = try ProgramBench(geometry: Self.tiny, cpu: nil)
        let program = await bench.ingress
        for cpu: Int32 in [0, 1] {
            try await onOwnThread {
                guard lx_pin_to_cpu(cpu) == 0 else { throw SystemError("sched_setaffinity") }
                for flow in 0..<2000 {
                    let frame = Frame(EthernetHeader(), IPv4Header(from: "10.7.0.1"), TCPHeader(from: UInt16(2000 + flow), to: 80, .ack))
                    _ = try ProgramTestRun(program, frame.bytes)
                }
            }
        }
        func take() async throws -> TrafficSketch? { try await bench.perform { bench in try SketchReader(maps: bench.maps)?.take() } }
        _ = try await take()
        for cpu: Int32 in [0, 1] {
            try await onOwnThread {
                guard lx_pin_to_cpu(cpu) == 0 else { throw SystemError("sched_setaffinity") }
                for port in 0..<500 {
                    // Ports 250 to 499 come by both.
                    let frame = Frame(
                        EthernetHeader(), IPv4Header(from: "10.9.0.9"), TCPHeader(to: UInt16(1 + Int(cpu) * 250 + port), .syn))
                    _ = try ProgramTestRun(program, frame.bytes)
                }
            }
        }
        let sketch = try #require(try await take())
        #expect(sketch.packets == 1000)
        #expect(abs(sketch.ports.estimate - 750) < 3 * sketch.ports.relativeError * 750, "\(sketch.ports.estimate)")
        #expect(sketch.sources.estimate < 1.5)
    }

    /// New flows without end, of which three in four find no room, and one that is every twentieth packet: most of the time it has one
    /// all the same. So there is no need to estimate who sends the most.
    @Test(arguments: [1, 2, 3] as [UInt64]) func aHeavyFlowDoesNotStayWithoutASlot(seed: UInt64) async throws {
        let bench = try ProgramBench(geometry: Self.tiny)
        try await bench.perform { bench in
            var random = SplitMix64(seed: seed)
            let heavy = Frame(EthernetHeader(), IPv4Header(from: "10.8.0.8"), UDPHeader(from: 9), RawBytes(count: 600))
            var sent: UInt64 = 0
            for n in 0..<20_000 {
                if random.once(in: 20) {
                    try bench.send(heavy)
                    sent += 1
                } else {
                    let source = "10.\(Int.random(in: 9...250, using: &random)).\(n >> 8 & 255).\(n & 255)"
                    try bench.send(Frame(EthernetHeader(), IPv4Header(from: source), TCPHeader(.syn), RawBytes(count: 0)))
                }
                if n % 400 == 0 { try bench.collect() }
            }
            try bench.collect()
            let told = bench.flows().first { $0.key.outer.source == IPAddress("10.8.0.8") }?.totals.skbs ?? 0
            let books = bench.books(.ingress)
            #expect(books[.logFull].skbs > books.seen.skbs / 2, "\(books)")
            #expect(told > sent * 3 / 4, "\(told) of \(sent)")
        }
    }

    @Test func switchedOffNothingIsSketched() async throws {
        let bench = try ProgramBench(geometry: Self.tiny, features: [.tcp, .vxlan])
        try await bench.perform { bench in
            #expect(try SketchReader(maps: bench.maps) == nil)
            try Self.fill(bench)
        }
    }

    /// The hash is one in C and in Swift.
    @Test func theHashesAgree() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<1000 {
            let (a, b, seed) = (random.next(), random.next(), random.next())
            #expect(nilo_sketch_hash(a, b, seed) == KeyedHash(seed: seed)(a, b))
        }
    }

    /// Sketches are left to nobody: those who take over maps of an agent without them have their own.
    @Test func pinnedMapsOfAnAgentWithoutSketchesServe() throws {
        let files = try PrivateBPFFS()
        try files.pins.prepare()
        let first = try SharedMaps(geometry: Self.tiny, features: [.tcp, .vxlan], seed: 1)
        try first.pin(in: files.pins.maps)
        #expect(!PinDirectory.entries(of: files.pins.maps).contains { $0.contains("sketch") })
        let second = try SharedMaps(pinnedIn: files.pins.maps, features: .all, vxlanPorts: (4789, 0))
        #expect(try SketchReader(maps: second) != nil)
        _ = try FlowProgram(maps: second)
        let third = try SharedMaps(pinnedIn: files.pins.maps, features: [.tcp], vxlanPorts: (4789, 0))
        #expect(try SketchReader(maps: third) == nil)
        _ = try FlowProgram(maps: third)
    }
}
