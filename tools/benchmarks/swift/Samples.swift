import CBench
import CDatapath
import CLinux
import Datapath
import Glibc
import Sampling

/// A testbed whose packets a policy looks at: one that samples everything by rule 1, or one that does nothing.
private struct SamplingBed {
    let bed: Testbed
    let tables: SamplerTables
    let ring: SampleRing
    let policy: PolicyTables

    init(sampleBytes: Int = 8 << 20) throws {
        bed = try Testbed(TableGeometry(sampleBytes: sampleBytes))
        bed.meet(.uniform(1))
        tables = try SamplerTables(maps: bed.maps)
        ring = try SampleRing(maps: bed.maps)
        policy = PolicyTables(maps: bed.maps)
    }

    func setRules(_ rules: Bool) throws { try bed.setRules(rules ? NILO_PORT_RULES_INGRESS.rawValue : 0) }

    func judge(sampling: Bool) throws {
        var all = nilo_instruction()
        all.operation = UInt8(NILO_OP_SAMPLE.rawValue)
        all.low = 1
        (all.on_true, all.on_false) = (1, 1)
        try policy.replace(sampling ? [all, nilo_instruction()] : [nilo_instruction()])
    }
}

/// 64 bytes on the wire without FCS: a sample carries the whole frame.
private let frame = Testbed.datagram + [0, 0, 0, 0]

/// What sampling adds to a packet that is not taken, and to one that is.
func measureCountdown(_ plan: Plan, _ results: Results) throws {
    let sampling = try SamplingBed()
    try stay(on: plan.cpu)
    let rounds = plan.rounds
    var (rules, countdown, each) = ([Double](), [Double](), [Double]())
    sampling.tables.install(.init(oneIn: 1 << 20, snapLength: 64), as: 1)
    // Fewer packets than the ring has room for.
    let few = 10_000
    // The kernel's own figure is in whole nanoseconds.
    func precisely() throws -> Double {
        let start = seconds(CLOCK_THREAD_CPUTIME_ID)
        _ = try sampling.bed.run(.nilo)
        return (seconds(CLOCK_THREAD_CPUTIME_ID) - start) * 1e9 / Double(FlowOrder.count)
    }
    for _ in 0..<rounds {
        try sampling.setRules(false)
        let without = try precisely()
        let withoutFew = try sampling.bed.run(.nilo, frame, times: few)
        try sampling.setRules(true)
        try sampling.judge(sampling: false)
        let judged = try precisely()
        try sampling.judge(sampling: true)
        sampling.tables.setRate(oneIn: 1 << 20, of: 1)
        let counted = try precisely()
        sampling.ring.drain { _ in }
        sampling.tables.setRate(oneIn: 1, of: 1)
        let taken = try sampling.bed.run(.nilo, frame, times: few)
        guard sampling.ring.drain({ _ in }) == few else { throw BenchError("not every packet was sampled") }
        rules.append(judged - without)
        countdown.append(counted - judged)
        each.append(taken - withoutFew)
    }
    _ = try sampling.bed.account()
    results.add("rules_ns", rules)
    results.add("countdown_ns", countdown, .atMost(2))
    results.add("sample_ns", each)
    results.remark("rules: a packet of a known flow at an interface with rules, none of which applies, over one without rules.")
    results.remark("countdown: a packet that a rule may sample and does not, over that; sample: every packet is taken, 64 bytes of it.")
}

/// The same work for every reader.
extension bench_tally {
    fileprivate mutating func count(_ sample: PacketSample) {
        let packets = UInt64(sample.hits) * UInt64(sample.oneIn)
        samples &+= 1
        self.packets &+= packets
        let bytes = packets &* UInt64(sample.wireBytes)
        self.bytes &+= sample.wirePackets == 1 ? bytes : bytes / UInt64(sample.wirePackets)
        check ^= sample.header.loadUnaligned(as: UInt64.self)
    }
}

/// Nanoseconds per sample to read what waits in the ring, in Swift and in C, and through libbpf's own ring.
func measureConsumers(_ plan: Plan, _ results: Results) throws {
    let sampling = try SamplingBed()
    try stay(on: plan.cpu)
    try sampling.setRules(true)
    try sampling.judge(sampling: true)
    sampling.tables.install(.init(oneIn: 1, snapLength: 64), as: 1)
    let maps = sampling.bed.maps
    let reader = bench_sample_reader_new(
        maps.descriptor("nilo_sample_heads"), maps.descriptor("nilo_sample_tails"), maps.descriptor("nilo_samples"), maps.config.cpus,
        Int(maps.config.sample_mask) + 1 + MemoryLayout<nilo_sample>.size + Int(NILO_SNAP_MOST), UInt64(maps.config.sample_mask))
    guard let reader else { throw BenchError("map the rings of samples", errno: errno) }
    defer { bench_sample_reader_free(reader) }
    let kernelTally = UnsafeMutablePointer<bench_tally>.allocate(capacity: 1)
    kernelTally.initialize(to: bench_tally())
    defer { kernelTally.deallocate() }
    guard let kernelRing = bench_ring_new(sampling.bed.descriptor(ofMap: "bench_ring"), kernelTally) else {
        throw BenchError("open the kernel's ring", errno: errno)
    }
    defer { bench_ring_free(kernelRing) }
    var swiftTally = bench_tally()
    var cTally = bench_tally()
    // As many as a wake-up finds when a ring is a quarter full.
    let batch = 4000
    let batches = plan.isThorough ? 60 : 20
    func time(_ program: Testbed.Program, _ body: () throws -> Void) throws -> Double {
        var spent = 0.0
        for _ in 0..<batches {
            _ = try sampling.bed.run(program, frame, times: batch)
            let start = seconds(CLOCK_THREAD_CPUTIME_ID)
            try body()
            spent += seconds(CLOCK_THREAD_CPUTIME_ID) - start
        }
        return spent * 1e9 / Double(batch * batches)
    }
    var (inSwift, inC, throughLibbpf) = ([Double](), [Double](), [Double]())
    for _ in 0..<plan.rounds {
        inSwift.append(try time(.nilo) { sampling.ring.drain { swiftTally.count($0) } })
        inC.append(try time(.nilo) { bench_sample_reader_drain(reader, &cTally) })
        throughLibbpf.append(try time(.ringSample) { try checked(bench_ring_drain(kernelRing), "read the kernel's ring") })
    }
    let expected = UInt64(plan.rounds * batches * batch)
    guard swiftTally.samples == expected, cTally.samples == expected, kernelTally.pointee.samples == expected,
        swiftTally.bytes == cTally.bytes
    else { throw BenchError("the readers found \(swiftTally), \(cTally), \(kernelTally.pointee) of \(expected)") }
    results.add("swift_ns", inSwift, reference: median(inC))
    results.add("c_ns", inC)
    results.add("libbpf_ring_ns", throughLibbpf)
    results.add("swift_over_c", zip(inSwift, inC).map { $0 / $1 }, .atMost(1.3))
    results.add("swift_over_libbpf_ring", zip(inSwift, throughLibbpf).map { $0 / $1 }, .atMost(1.3))
    results.remark(
        "consumer: 64-byte frames sampled whole, read in batches of 4,000 just written on the same CPU; the same sums in all three.")
    results.remark("libbpf_ring: the same samples through the kernel's BPF ring buffer and libbpf's reader of it.")
}

/// One CPU samples every packet as fast as it goes, another reads: samples a second that arrive.
func measureEvents(_ plan: Plan, _ results: Results) throws {
    let sampling = try SamplingBed(sampleBytes: (16 << 20) * CPU.count)
    try sampling.setRules(true)
    try sampling.judge(sampling: true)
    sampling.tables.install(.init(oneIn: 1, snapLength: 64), as: 1)
    let wakeups = try WakeupRing(maps: sampling.bed.maps)
    var (rates, kept, wakes) = ([Double](), [Double](), [Double]())
    for _ in 0..<(plan.isThorough ? 7 : 3) {
        let consumer = EventConsumer(ring: sampling.ring, wakeups: wakeups)
        let before = sampling.tables.counters(of: 1)
        let thread = try PinnedThread(cpu: plan.otherCPU) { try consumer.serve() }
        try stay(on: plan.cpu)
        let start = wallSeconds()
        while wallSeconds() - start < 1 { _ = try sampling.bed.run(.nilo, frame, times: 100_000) }
        let elapsed = wallSeconds() - start
        consumer.stop()
        try thread.join()
        let counters = sampling.tables.counters(of: 1) - before
        guard consumer.tally.samples == counters.samples, counters.samples + counters.ringFull == counters.packets else {
            throw BenchError("read \(consumer.tally.samples) of \(counters)")
        }
        rates.append(Double(consumer.tally.samples) / elapsed)
        kept.append(100 * Double(counters.samples) / Double(counters.packets))
        wakes.append(Double(consumer.wakes) / elapsed)
    }
    results.add("events_per_second", rates, .atLeast(2e6))
    results.add("events_kept_percent", kept)
    results.add("wakeups_per_second", wakes)
    results.remark("events: 64-byte frames, each sampled whole (224 bytes in the ring) as fast as one CPU goes, read on another.")
}

/// Unchecked: what it counts is read after its thread was joined.
private final class EventConsumer: @unchecked Sendable {
    private let ring: SampleRing
    private let wakeups: WakeupRing
    private let stopping = eventfd(0, Int32(EFD_CLOEXEC))
    private(set) var tally = bench_tally()
    private(set) var wakes = 0

    init(ring: SampleRing, wakeups: WakeupRing) {
        self.ring = ring
        self.wakeups = wakeups
    }

    deinit { close(stopping) }

    func stop() {
        var one: UInt64 = 1
        precondition(write(stopping, &one, 8) == 8, "stop the consumer: errno \(errno)")
    }

    /// As the agent does: woken by a ring that fills, or every 100 ms; while there is much, without waiting.
    func serve() throws {
        while true {
            var watched = [
                pollfd(fd: stopping, events: Int16(POLLIN), revents: 0), pollfd(fd: wakeups.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&watched, 2, 100) < 0 && errno != EINTR { throw BenchError("wait for samples", errno: errno) }
            if watched[1].revents != 0 { try wakeups.drain() }
            wakes += 1
            while ring.drain({ tally.count($0) }) > 100 {}
            if watched[0].revents != 0 { return }
        }
    }
}

/// How often the 95 % interval of what was estimated from the kernel's own samples holds what was sent: a thousand runs of 3,000 packets of
/// the Internet mix at 1 in 100, so that 30 samples are to be expected.
func measureCoverage(_ plan: Plan, _ results: Results) throws {
    let sampling = try SamplingBed()
    try stay(on: plan.cpu)
    try sampling.setRules(true)
    try sampling.judge(sampling: true)
    sampling.tables.install(.init(oneIn: 100, snapLength: 0), as: 1)
    let mix = [(64, 1750), (594, 1000), (1518, 250)]
    let truth = (packets: 3000.0, bytes: mix.reduce(0) { $0 + Double($1.0 * $1.1) })
    let runs = plan.isThorough ? 5000 : 1000
    var held = (packets: 0, bytes: 0)
    for _ in 0..<runs {
        for (size, count) in mix {
            _ = try sampling.bed.run(.nilo, Testbed.datagram + [UInt8](repeating: 0, count: size - 60), times: count)
        }
        var sum = SampleSum()
        sampling.ring.drain {
            sum.add(hits: $0.hits, oneIn: $0.oneIn, meanBytes: Double($0.wireBytes) / Double($0.wirePackets))
        }
        let (packets, bytes) = (sum.packetEstimate, sum.byteEstimate)
        held.packets += packets.low <= truth.packets && truth.packets <= packets.high ? 1 : 0
        held.bytes += bytes.low <= truth.bytes && truth.bytes <= bytes.high ? 1 : 0
    }
    let coverage = min(held.packets, held.bytes)
    results.add("interval_coverage", Double(coverage) / Double(runs), .atLeast(0.93))
    results.add("interval_coverage_packets", Double(held.packets) / Double(runs))
    results.add("interval_coverage_bytes", Double(held.bytes) / Double(runs))
    results.remark(
        "coverage: \(runs) runs of 3,000 packets of 64, 594 and 1,518 bytes at 1 in 100: 30 expected samples; the lesser of the two counts."
    )
}
