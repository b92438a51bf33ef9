import CDatapath
import Datapath
import Flows
import NetworkTypes
import TestSupport
import Testing

/// What the reference parser expects of one flow.
private struct Expected: Equatable {
    var totals = Totals()
    var smallest = UInt32.max
    var largest: UInt32 = 0
    var tcpFlags: UInt16 = 0
    var dscp: UInt8 = 0
    var ecn: UInt8 = 0
    var ttlMinimum = UInt8.max
    var ttlMaximum: UInt8 = 0

    mutating func count(_ frame: ParsedFrame, times: Int) {
        let bytes = UInt64(frame.length * times)
        totals += Totals(skbs: UInt64(times), skbBytes: bytes, wirePackets: UInt64(times), wireBytes: bytes)
        smallest = min(smallest, UInt32(frame.length))
        largest = max(largest, UInt32(frame.length))
        tcpFlags |= frame.tcp?.flags.rawValue ?? 0
        // What is not IP counts as codepoint 0 with a time to live of 0.
        dscp = frame.network?.dscp ?? 0
        ecn |= 1 << (frame.network?.ecn ?? 0)
        ttlMinimum = min(ttlMinimum, frame.network?.timeToLive ?? 0)
        ttlMaximum = max(ttlMaximum, frame.network?.timeToLive ?? 0)
    }

    init() {}
    init(_ record: FlowRecord) {
        totals = record.totals
        smallest = record.traits.smallest
        largest = record.traits.largest
        tcpFlags = record.traits.tcpFlags.rawValue
        dscp = record.traits.dscp
        ecn = record.traits.ecn
        ttlMinimum = record.traits.ttlMinimum
        ttlMaximum = record.traits.ttlMaximum
    }
}

/// The reference parser's account of all packets that were sent through the programs.
private struct ReferenceCounts {
    let parser = ReferenceParser()
    var flows: [FlowKey: Expected] = [:]
    var memories: [Direction: FragmentMemory] = [.ingress: FragmentMemory(), .egress: FragmentMemory()]
    var totals: [Direction: Totals] = [.ingress: Totals(), .egress: Totals()]
    var orphans: UInt64 = 0
    var truncatedNetworks: UInt64 = 0
    var tooManyExtensions: UInt64 = 0

    mutating func count(_ bytes: [UInt8], _ direction: Direction, times: Int) {
        let frame = memories[direction]!.resolve(parser.parse(bytes))
        let key = frame.keyBytes(
            interface: 7, direction: direction == .ingress ? NILO_INGRESS : NILO_EGRESS)
        flows[key.withUnsafeBytes { FlowKey(copying: $0.baseAddress!) }, default: Expected()].count(frame, times: times)
        let size = UInt64(frame.length * times)
        totals[direction]! += Totals(skbs: UInt64(times), skbBytes: size, wirePackets: UInt64(times), wireBytes: size)
        let forms = [frame.outer.form.rawValue, frame.tunnel?.inner.form.rawValue]
        if forms.contains(NILO_FORM_FRAGMENT.rawValue) { orphans += UInt64(times) }
        if frame.shortfall == .network { truncatedNetworks += UInt64(times) }
        if frame.shortfall == .tooManyExtensions { tooManyExtensions += UInt64(times) }
    }
}

/// Whatever the packet: its key and its counts are those of the reference parser, and the books close.
@Suite(.requires(.root)) struct KeyPropertyTests {
    /// Sends frames, then compares every flow; returns how many frames there were.
    private func check(_ frames: [[UInt8]], seed: UInt64) async throws -> Int {
        var account = ReferenceCounts()
        var random = SplitMix64(seed: seed)
        let sent = frames.filter { $0.count >= ProgramTestRun.leastLength(of: $0) }.map {
            (bytes: $0, direction: random.once(in: 2) ? Direction.egress : .ingress, times: Int.random(in: 1...3, using: &random))
        }
        for packet in sent { account.count(packet.bytes, packet.direction, times: packet.times) }
        let bench = try ProgramBench()
        let (records, books) = try await bench.perform { bench in
            for (i, packet) in sent.enumerated() {
                try bench.send(packet.bytes, packet.direction, times: packet.times)
                if i % 100 == 99 { try bench.collect() }
            }
            try bench.collect()
            return (bench.flows(), [bench.books(.ingress), bench.books(.egress)])
        }
        var found: [FlowKey: Expected] = [:]
        for record in records { found[record.key] = Expected(record) }
        for (key, expected) in account.flows where found[key] != expected {
            Issue.record("\(key): expected \(expected), found \(found[key].map { "\($0)" } ?? "no such flow"), seed \(seed)")
        }
        for key in found.keys where account.flows[key] == nil { Issue.record("\(key) is not expected: \(found[key]!), seed \(seed)") }
        for direction in Direction.allCases {
            let books = books[Int(direction.rawValue)]
            #expect(books.seen == account.totals[direction])
            #expect(books.overflowTotal.isZero)
        }
        func remarks(_ remark: Remark) -> UInt64 { books[0][remark] + books[1][remark] }
        #expect(remarks(.fragmentOrphan) == account.orphans)
        #expect(remarks(.truncatedNetwork) == account.truncatedNetworks)
        #expect(remarks(.extensions) == account.tooManyExtensions)
        return sent.count
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func randomFramesAreKeyedAsTheReferenceSays(seed: UInt64) async throws {
        var source = RandomFrames(seed: seed)
        let frames = (0..<3000).map { i in i % 2 == 0 ? source.frame().bytes : source.damaged(oneIn: 2) }
        #expect(try await check(frames, seed: seed) > 2500)
    }

    @Test func cataloguedFramesAreKeyedWhereverTheyAreCut() async throws {
        var frames: [[UInt8]] = []
        for named in FrameCatalogue.all {
            let bytes = named.frame.bytes
            frames += (14...bytes.count).map { Array(bytes.prefix($0)) }
        }
        #expect(try await check(frames, seed: 9) > 3000)
    }
}
