import CDatapath
import Flows
import Foundation
import NetworkTypes
import TestSupport
import Testing

@testable import Datapath

/// Samples as the programs take them: packets come by BPF_PROG_TEST_RUN, so that their order is the test's.
@Suite(.requires(.root), .serialized) struct SamplingTests {
    private static let rules = NILO_PORT_RULES_INGRESS.rawValue | NILO_PORT_RULES_EGRESS.rawValue
    private static let datagram = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 300)).bytes

    /// Runs `body` with a table of its own in which every packet is sampled by rule 1.
    private func sampling(
        _ sampler: SamplerTables.Sampler?, ringBytes: Int = 1 << 22,
        _ body: @Sendable (isolated ProgramBench, SamplesUnderTest) throws -> Void
    ) async throws {
        let bench = try ProgramBench(
            geometry: TableGeometry(flows: 4096, logRecordsPerCPU: 256, ledgers: 8, ghosts: 1024, sampleBytes: ringBytes))
        try await bench.perform { bench in
            let samples = try SamplesUnderTest(bench.maps, sampler)
            try bench.setRules(Self.rules)
            try body(bench, samples)
        }
    }

    @Test func oneInOneTakesEveryPacket() async throws {
        try await sampling(.init(oneIn: 1, snapLength: 128)) { bench, samples in
            try bench.send(Self.datagram, times: 23)
            let taken = samples.take()
            #expect(taken.count == 23 && samples.take().isEmpty)
            for (number, sample) in taken.enumerated() {
                #expect(sample.hits == 1 && sample.oneIn == 1 && sample.reasons == .random && sample.rule == 1 && sample.epoch == 1)
                #expect(sample.header == Array(Self.datagram.prefix(128)))
                #expect(sample.wireBytes == 342 && sample.packetBytes == 342 && sample.wirePackets == 1)
                #expect(sample.packetsSoFar == UInt64(number) + 1 && sample.lostSoFar == 0 && sample.ifindex == 1)
                #expect(sample.key.interface == bench.interface && sample.key.direction == .ingress)
            }
            #expect(zip(taken, taken.dropFirst()).allSatisfy { $0.nanoseconds <= $1.nanoseconds })
            try bench.collect()
            #expect(bench.flows().map(\.key) == [taken[0].key])
            let counters = samples.counters
            #expect(counters.packets == 23 && counters.bytes == 23 * 342 && counters.samples == 23 && counters.hits == 23)
            #expect(counters.random == 23 && counters.first == 0 && counters.flags == 0 && counters.ringFull == 0)
        }
    }

    /// Each packet is taken on its own account: the number of hits, and the distances between them, are those of coin tosses. Bounds are
    /// six standard deviations.
    @Test(arguments: [2, 3, 10, 1000] as [UInt32]) func hitsAreIndependent(oneIn: UInt32) async throws {
        let count = oneIn == 1000 ? 4_000_000 : 200_000
        try await sampling(.init(oneIn: oneIn, snapLength: 0), ringBytes: 1 << 26) { bench, samples in
            try bench.send(Self.datagram, times: count)
            let at = samples.take().map { Int($0.packetsSoFar) }
            let p = 1 / Double(oneIn)
            #expect(abs(Double(at.count) - Double(count) * p) < 6 * (Double(count) * p * (1 - p)).squareRoot(), "\(at.count)")
            #expect(samples.counters.packets == count && samples.counters.hits == at.count)
            let gaps = zip([0] + at, at).map { $1 - $0 }
            // The variance of a geometric variable, (1-p)/p², and that of its estimate by the fourth moment (kurtosis 9 + p²/(1-p)).
            let n = Double(gaps.count)
            let mean = Double(gaps.reduce(0, +)) / n
            let variance = gaps.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / n
            let expected = (1 - p) / (p * p)
            #expect(abs(variance / expected - 1) < 6 * ((8 + p * p / (1 - p)) / n).squareRoot(), "\(variance) \(expected)")
            // Every short distance as often as it should be.
            for gap in 1...5 {
                let chance = pow(1 - p, Double(gap - 1)) * p
                let seen = Double(gaps.count { $0 == gap })
                #expect(abs(seen - n * chance) < 6 * (n * chance * (1 - chance)).squareRoot() + 1, "\(gap): \(seen) of \(n)")
            }
        }
    }

    /// The unsampled packets are in the books as if there were no sampling.
    @Test func whatIsNotTakenIsCounted() async throws {
        try await sampling(.init(oneIn: 100, snapLength: 64)) { bench, samples in
            try bench.send(Self.datagram, times: 12_345)
            try bench.collect()
            #expect(bench.flows().map(\.totals) == [Totals(plain: 12_345, bytes: 12_345 * 342)])
            #expect(bench.books(.ingress).seen == Totals(plain: 12_345, bytes: 12_345 * 342))
        }
    }

    /// A super-packet yields as many hits as its segments would.
    @Test func segmentsAreHitEachByItself() async throws {
        let headers = Frame(EthernetHeader(), IPv4Header(), TCPHeader([.ack]))
        let frame = headers.with(RawBytes(count: 2200)).bytes
        let context = PacketContext { ($0.segments, $0.segmentSize) = (44, 50) }
        try await sampling(.init(oneIn: 1, snapLength: 54), ringBytes: 1 << 24) { bench, samples in
            try bench.send(frame, .egress, times: 5, context: context)
            let taken = samples.take()
            #expect(taken.map(\.hits) == [44, 44, 44, 44, 44] && taken.allSatisfy { $0.wirePackets == 44 && $0.packetBytes == 2254 })
            #expect(taken.allSatisfy { $0.wireBytes == 44 * 104 && $0.header == Array(frame.prefix(54)) })
            samples.tables.setRate(oneIn: 7, of: 1)
            try bench.send(frame, .egress, times: 10_000, context: context)
            let random = samples.take()
            let hits = random.reduce(0) { $0 + Double($1.hits) }
            let (n, p) = (440_000.0, 1 / 7.0)
            #expect(abs(hits - n * p) < 6 * (n * p * (1 - p)).squareRoot(), "\(hits)")
            // Of 44 segments 6.3 are hit on average: nearly every super-packet yields a sample, and few yield the same number.
            #expect(Set(random.map(\.hits)).count > 8 && random.allSatisfy { $0.oneIn == 7 && $0.hits >= 1 && $0.hits <= 44 })
            #expect(samples.counters.hits == UInt64(hits) + 220 && samples.counters.packets == 440_220)
        }
    }

    /// Whatever the rules take, and only on ports that are marked for it.
    @Test func theAgentsOwnSamplerIsBesideTheRules() async throws {
        try await sampling(.init(oneIn: 1, snapLength: 64)) { bench, samples in
            samples.tables.installFirst(packets: 3, snapLength: 2048, perSecond: 100_000)
            try bench.send(Self.datagram, times: 5)
            #expect(samples.take().map(\.rule) == [1, 1, 1, 1, 1])
            try bench.setRules(Self.rules | NILO_PORT_FIRST.rawValue)
            for port: UInt16 in [1000, 2000] {
                let frame = Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: port), RawBytes(count: 300)).bytes
                try bench.send(frame, times: 10)
                let taken = samples.take()
                let own = taken.filter { $0.rule == SamplerTables.first }
                #expect(own.map(\.reasons) == [.first, .first, .first] && taken.count == 13)
                #expect(own.allSatisfy { $0.header == frame && $0.hits == 0 && $0.key.outer.sourcePort == port })
            }
            // Without any rule too.
            try bench.setRules(NILO_PORT_FIRST.rawValue)
            try bench.send(Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: 3000), RawBytes(count: 300)).bytes, .egress, times: 5)
            #expect(samples.take().map(\.rule) == [0, 0, 0])
            let counters = samples.tables.counters(of: SamplerTables.first)
            #expect(counters.samples == 9 && counters.first == 9 && counters.hits == 0 && samples.counters.samples == 25)
            samples.tables.removeFirst()
            try bench.send(Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: 4000), RawBytes(count: 300)).bytes, times: 5)
            #expect(samples.take().isEmpty && samples.ring.firstPassedOver == 0)
        }
    }

    /// A flood of new flows gets so many samples in a tenth of a second; the others are counted.
    @Test func aFloodOfFlowsHasItsShareOfTheRing() async throws {
        try await sampling(nil) { bench, samples in
            try bench.setRules(NILO_PORT_FIRST.rawValue)
            samples.tables.installFirst(packets: 8, snapLength: 64, perSecond: 1000)
            let start = ContinuousClock.now
            for port in 1...UInt16(2000) {
                try bench.send(Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: port), RawBytes(count: 10)).bytes)
            }
            let windows = Int((ContinuousClock.now - start) / .milliseconds(90)) + 2
            let taken = samples.take()
            #expect(taken.count >= 99 && taken.count <= min(2000, 101 * windows), "\(taken.count) in \(windows) windows")
            #expect(taken.count + Int(samples.ring.firstPassedOver) == 2000)
            try bench.collect()
            #expect(bench.flows().count == 2000)
        }
    }

    @Test func theFirstPacketsOfEachFlow() async throws {
        try await sampling(.init(oneIn: 0, firstPackets: 3, snapLength: 64)) { bench, samples in
            for port: UInt16 in [1000, 2000] {
                let frame = Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: port), RawBytes(count: 10)).bytes
                try bench.send(frame, times: 10)
                let taken = samples.take()
                #expect(taken.map(\.reasons) == [.first, .first, .first] && taken.allSatisfy { $0.hits == 0 && $0.oneIn == 0 })
                #expect(taken.allSatisfy { $0.key.outer.sourcePort == port })
            }
            #expect(samples.counters.first == 6 && samples.counters.samples == 6 && samples.counters.hits == 0)
            #expect(samples.counters.packets == 20)
        }
    }

    @Test func flagsAreReasonEnough() async throws {
        try await sampling(.init(oneIn: 0, always: [.syn, .fin, .rst], snapLength: 64)) { bench, samples in
            let flags: [TCPFlags] = [.syn, [.syn, .ack], .ack, [.ack, .psh], [.fin, .ack], .rst]
            for flags in flags { try bench.send(Frame(EthernetHeader(), IPv4Header(), TCPHeader(.init(rawValue: flags.rawValue)))) }
            try bench.send(Self.datagram)
            let taken = samples.take()
            #expect(taken.map(\.reasons) == [.flags, .flags, .flags, .flags] && taken.allSatisfy { $0.hits == 0 })
            #expect(taken.map { TCPFlags(rawValue: UInt16($0.header[47])) } == [.syn, [.syn, .ack], [.fin, .ack], .rst])
            // Two reasons, one sample.
            samples.tables.install(.init(oneIn: 1, firstPackets: 100, always: .syn), as: 1)
            try bench.send(Frame(EthernetHeader(), IPv4Header(), TCPHeader(.syn)))
            #expect(samples.take().map(\.reasons) == [[.random, .first, .flags]])
            let counters = samples.counters
            #expect(counters.samples == 5 && counters.flags == 5 && counters.first == 1 && counters.random == 1 && counters.hits == 1)
        }
    }

    /// A full ring loses samples, never packets, and says how many.
    @Test func aFullRingIsCountedAndShows() async throws {
        try await sampling(.init(oneIn: 1, snapLength: 100), ringBytes: 1 << 16) { bench, samples in
            try bench.send(Self.datagram, times: 1000)
            let taken = samples.take()
            let counters = samples.counters
            // Records of 264 bytes.
            let room = (Int(bench.maps.config.sample_mask) + 1) / 264
            #expect(taken.count == room && counters.samples == room && counters.ringFull == UInt64(1000 - room))
            #expect(counters.hits + counters.lostHits == 1000 && counters.lostHits == counters.ringFull)
            try bench.send(Self.datagram)
            #expect(samples.take().map(\.lostSoFar) == [UInt32(1000 - room)])
            #expect(samples.ring.lost.ringFull == UInt32(1000 - room) && samples.ring.lost.unreadable == 0)
            #expect(bench.books(.ingress).seen.skbs == 1001)
        }
    }

    /// Round and round, with records of many sizes: those that begin before the end go on behind it.
    @Test func recordsAreWholeWhereverTheyLie() async throws {
        try await sampling(.init(oneIn: 1, snapLength: SamplerTables.snapLimit), ringBytes: 1 << 16) { bench, samples in
            var random = SplitMix64(seed: 11)
            for _ in 0..<400 {
                var sent: [[UInt8]] = []
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let size = Int.random(in: 0...2300, using: &random)
                    sent.append(Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(random.bytes(size))).bytes)
                    try bench.send(sent[sent.count - 1])
                }
                #expect(samples.take().map(\.header) == sent.map { Array($0.prefix(SamplerTables.snapLimit)) })
            }
            #expect(samples.counters.ringFull == 0)
        }
    }

    @Test(arguments: [0, 1, 7, 8, 54, 341, 342, 343, 2048]) func snapLengths(snap: Int) async throws {
        try await sampling(.init(oneIn: 1, snapLength: snap)) { bench, samples in
            try bench.send(Self.datagram, times: 2)
            #expect(samples.take().map(\.header) == [Array(Self.datagram.prefix(snap)), Array(Self.datagram.prefix(snap))])
        }
    }

    /// The draw has no memory: a new rate need not wait for the end of an old distance.
    @Test func aNewRateHoldsFromTheNextPacketOn() async throws {
        try await sampling(.init(oneIn: .max)) { bench, samples in
            try bench.send(Self.datagram, times: 1000)
            #expect(samples.take().isEmpty)
            samples.tables.setRate(oneIn: 1, of: 1)
            try bench.send(Self.datagram, times: 5)
            let taken = samples.take()
            #expect(taken.map(\.oneIn) == [1, 1, 1, 1, 1] && taken.allSatisfy { $0.epoch == 1 })
            #expect(samples.tables.install(.init(oneIn: 1, snapLength: 20), as: 1) == 2)
            try bench.send(Self.datagram)
            #expect(samples.take().map { [Int($0.epoch), $0.header.count] } == [[2, 20]])
            samples.tables.remove(1)
            try bench.send(Self.datagram, times: 1000)
            #expect(samples.take().isEmpty && samples.counters.packets == 2006)
        }
    }

    /// A verdict may name a rule that nobody has installed.
    @Test func aRuleThatIsNotThereTakesNothing() async throws {
        try await sampling(nil) { bench, samples in
            try bench.send(Self.datagram, times: 100)
            #expect(samples.take().isEmpty && samples.counters.samples == 0 && samples.counters.packets == 100)
        }
    }

    /// One wake-up for a ring that fills, none for a sample.
    @Test func aQuarterFullWakesOnce() async throws {
        try await sampling(.init(oneIn: 1, snapLength: 0), ringBytes: 1 << 16) { bench, samples in
            let wakeups = try WakeupRing(maps: bench.maps)
            let quarter = (Int(bench.maps.config.sample_mask) + 1) / 4 / 160
            try bench.send(Self.datagram, times: quarter - 1)
            #expect(!isReadable(wakeups.descriptor))
            try bench.send(Self.datagram, times: 2)
            #expect(isReadable(wakeups.descriptor))
            #expect(samples.ring.fill >= 0.24 && samples.take().count == quarter + 1 && samples.ring.fill == 0)
        }
    }

    /// The factor of the skip, against exact arithmetic.
    @Test func skipFactors() {
        #expect(SamplerTables.skipFactor(oneIn: 0) == (0, 0) && SamplerTables.skipFactor(oneIn: 1) == (0, 0))
        for oneIn: UInt32 in [2, 3, 10, 1000, 1 << 20, .max] {
            let (inverse, shift) = SamplerTables.skipFactor(oneIn: oneIn)
            #expect(inverse >= 1 << 31 || oneIn == .max)
            let factor = Double(inverse) / pow(2, Double(shift))
            #expect(abs(exp(-1 / factor) - (1 - 1 / Double(oneIn))) < 1e-9)
        }
    }

    private func isReadable(_ descriptor: Int32) -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, 0) == 1
    }
}
