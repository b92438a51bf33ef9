import CBench
import Datapath
import Flows
import Glibc
import NetworkTypes
import Policy

/// A cap of 1, 10, 100 Mbit/s and 1 Gbit/s, by a class and by a policer, for UDP and TCP: how far what arrives is from what was asked.
func measureRates(_ plan: Plan, _ results: Results) throws {
    let bed = try ShapingBed(plan)
    try bed.attach()
    var worst = 0.0
    for rate in [1.0, 10, 100, 1000] {
        try bed.shape([(ShapeRule("cap", ceiling: mbit(rate)) { $0.mechanism = .htb }, .all)])
        for udp in [true, false] {
            var flows = [bench_flow(udp: udp, port: 5001)]
            let achieved = try bed.run(&flows, seconds: plan.isThorough ? 10 : 3, warm: rate < 10 ? 3 : 1.5)
            let error = 100 * abs(achieved / (rate * 1e6) - 1)
            worst = max(worst, error)
            results.add("rate_error_\(udp ? "udp" : "tcp")_\(Int(rate))m_percent", error, .atMost(0.5))
            // The next one finds an empty queue.
            sleep(1)
        }
    }
    results.add("rate_error_max", worst, .atMost(0.5))
    for rate in [1.0, 10, 100] {
        try bed.shape([(ShapeRule("cap", ceiling: mbit(rate)) { $0.mechanism = .police }, .all)])
        var flows = [bench_flow(udp: true, port: 5001)]
        let achieved = try bed.run(&flows, seconds: plan.isThorough ? 10 : 3)
        results.add("police_error_udp_\(Int(rate))m_percent", 100 * (achieved / (rate * 1e6) - 1), .atMost(0.5))
        flows = [bench_flow(udp: false, port: 5001)]
        results.add(
            "police_tcp_\(Int(rate))m_of_asked_percent", 100 * (try bed.run(&flows, seconds: plan.isThorough ? 10 : 3)) / (rate * 1e6))
    }
    try bed.detach()
    results.remark(
        "Rates: frame bytes at the receiver between two packets, without FCS, offloads off. TCP (cubic) under a policer is reported only.")
}

/// Eight flows at one aggregate: Jain's index of what each gets. And a guarantee under a flood of lower priority.
func measureFairness(_ plan: Plan, _ results: Results) throws {
    let bed = try ShapingBed(plan)
    try bed.attach()
    let seconds = plan.isThorough ? 10.0 : 4
    var lowest = 1.0
    for udp in [false, true] {
        try bed.shape([(ShapeRule("share", ceiling: mbit(80)), .all)])
        var flows = (0..<8).map { bench_flow(udp: udp, port: UInt16(5001 + $0)) }
        _ = try bed.run(&flows, seconds: seconds)
        let shares = flows.map { Double($0.received) }
        let sum = shares.reduce(0, +)
        let jain = sum * sum / (8 * shares.reduce(0) { $0 + $1 * $1 })
        lowest = min(lowest, jain)
        results.add("jain_\(udp ? "udp" : "tcp")", jain, .atLeast(0.98))
        sleep(1)
    }
    results.add("jain", lowest, .atLeast(0.98))
    var worst = 0.0
    for udp in [false, true] {
        try bed.shape(
            [
                (ShapeRule("database", rate: mbit(60), ceiling: mbit(60)) { $0.priority = 1 }, .destinationPort(5001)),
                (ShapeRule("flood", rate: mbit(10), ceiling: mbit(100)) { $0.priority = 7 }, .destinationPort(5002)),
            ], capacity: mbit(100))
        var flows = [bench_flow(udp: udp, port: 5001), bench_flow(udp: true, port: 5002)]
        _ = try bed.run(&flows, seconds: seconds)
        // Of payload, as the receiver sees it: 1472 of 1514 bytes, 1448 of 1514 with TCP's timestamps.
        let granted = Double(flows[0].received) * 8 / seconds * 1514 / (udp ? 1472 : 1448)
        worst = max(worst, 100 * abs(granted / 60e6 - 1))
        sleep(1)
    }
    results.add("guarantee_error_max", worst, .atMost(2))
    try bed.detach()
    results.remark("Guarantee: 60 of 100 Mbit/s, TCP and UDP, against UDP that sends all it can at a lower priority.")
}

/// A thousand classes: the same work by tc's own HTB with one u32 filter each, and by rules; 60-byte frames of a thousand flows.
func measureClasses(_ plan: Plan, _ results: Results) throws {
    let rules = 1000
    // The receiving host drops what is for another: its work is none of this comparison.
    let nobody: [UInt8] = [2, 0, 0, 0, 0, 0xff]
    let bed = try ShapingBed(plan)
    try stay(on: plan.cpu)
    let clock = try WorkClock(cpu: plan.cpu)
    try bed.pair.enter(bed.pair.b)
    let sink = try checked(bench_frames_sink(), "open the receiving socket")
    defer { close(sink) }
    try bed.pair.enter(bed.pair.a)
    let sender = try checked(bench_frames_open(UInt32(bed.ifindex)), "open the sending socket")
    defer { close(sender) }
    let frames = plan.frames
    func cost() throws -> Double {
        try checked(bench_frames_send(sender, nobody, frames / 4, UInt32(rules)), "send frames")
        let start = try clock.now()
        try checked(bench_frames_send(sender, nobody, frames, UInt32(rules)), "send frames")
        return (try clock.now() - start) * 1e9 / Double(frames)
    }
    // tc -b: as a person would set it up.
    var script = "qdisc add dev va root handle 1: htb\n"
    for i in 0..<rules {
        let minor = String(i + 1, radix: 16)
        script += "class add dev va parent 1: classid 1:\(minor) htb rate 1gbit quantum 20000\n"
        script += "filter add dev va parent 1: protocol ip prio 1 u32 match ip sport \(0x8000 + i) 0xffff classid 1:\(minor)\n"
    }
    var u32: [Double] = []
    var ours: [Double] = []
    var buckets: [Double] = []
    var bare: [Double] = []
    var counted: [Double] = []
    for _ in 0..<(plan.isThorough ? 5 : 2) {
        try bed.pair.enter(bed.pair.a)
        try shellInput("tc -b -", script)
        u32.append(try cost())
        try shell("tc qdisc del dev va root")
        bare.append(try cost())
        try bed.pair.leave()
        try bed.attach()
        try bed.pair.enter(bed.pair.a)
        counted.append(try cost())
        try bed.pair.leave()
        let list = (0..<rules).map { i in
            (
                rule: ShapeRule("r\(i)", ceiling: mbit(1000)) { $0.mechanism = .htb },
                match: ShapingBed.Match.sourcePort(UInt16(0x8000 + i))
            )
        }
        try bed.shape(list)
        try bed.pair.enter(bed.pair.a)
        ours.append(try cost())
        try bed.pair.leave()
        for i in [0, rules / 2, rules - 1] where (bed.counters("r\(i)")?.packets ?? 0) < frames / UInt64(rules) {
            throw BenchError("class \(i) did not get its packets: \(String(describing: bed.counters("r\(i)")))")
        }
        try bed.shape(
            list.map { item in
                var rule = item.rule
                rule.mechanism = .police
                return (rule, item.match)
            })
        try bed.pair.enter(bed.pair.a)
        buckets.append(try cost())
        try bed.pair.leave()
        try bed.shape([])
        try bed.detach()
    }
    results.add("classes_bare_ns", bare)
    results.add("classes_counted_ns", counted)
    results.add("classes_htb_u32_ns", u32)
    results.add("classes_htb_ns", ours)
    results.add("classes_buckets_ns", buckets)
    results.add("pps_over_htb_u32", zip(u32, ours).map { $0 / $1 }, .atLeast(3))
    results.add("buckets_pps_over_htb_u32", zip(u32, buckets).map { $0 / $1 }, .atLeast(3))
    results.remark("pps_over_htb_u32: 1,000 classes, one u32 filter each in one list, against 1,000 rules with a class each;")
    results.remark("  buckets: with a token bucket each. nilo also counts the flows. The receiver drops the frames unread.")
}

/// What rules cost the traffic that none of them is about, beyond what a bare HTB root costs.
func measureUnrelated(_ plan: Plan, _ results: Results) throws {
    let bed = try ShapingBed(plan)
    try stay(on: plan.cpu)
    let clock = try WorkClock(cpu: plan.cpu)
    try bed.pair.enter(bed.pair.b)
    let sink = try checked(bench_frames_sink(), "open the receiving socket")
    defer { close(sink) }
    try bed.pair.enter(bed.pair.a)
    let sender = try checked(bench_frames_open(UInt32(bed.ifindex)), "open the sending socket")
    defer { close(sender) }
    try bed.pair.leave()
    try bed.attach()
    func cost() throws -> Double {
        try bed.pair.enter(bed.pair.a)
        defer { try? bed.pair.leave() }
        try checked(bench_frames_send(sender, VethPair.macB, plan.frames / 4, 100), "send frames")
        let start = try clock.now()
        try checked(bench_frames_send(sender, VethPair.macB, plan.frames, 100), "send frames")
        return try clock.now() - start
    }
    let others = (0..<100).map {
        (rule: ShapeRule("r\($0)", ceiling: mbit(10)) { $0.mechanism = .htb }, match: ShapingBed.Match.destinationPort(UInt16(20_000 + $0)))
    }
    let policed = (0..<100).map {
        (
            rule: ShapeRule("r\($0)", ceiling: mbit(10)) { $0.mechanism = .police },
            match: ShapingBed.Match.destinationPort(UInt16(20_000 + $0))
        )
    }
    var kept: [String: [Double]] = [:]
    for _ in 0..<(plan.isThorough ? 9 : 3) {
        let nothing = try cost()
        try bed.shape(policed)
        let buckets = try cost()
        try bed.shape([])
        try bed.classes(HTBTree())
        let bare = try cost()
        try bed.shape(others)
        let classes = try cost()
        try bed.shape([])
        let again = (nothing + (try cost())) / 2
        kept["unrelated_police_kept", default: []].append(100 * again / buckets)
        kept["bare_htb_root_kept", default: []].append(100 * again / bare)
        kept["unrelated_kept", default: []].append(100 * bare / classes)
    }
    results.add("unrelated_kept", kept["unrelated_kept"] ?? [], .atLeast(97))
    results.add("unrelated_police_kept", kept["unrelated_police_kept"] ?? [], .atLeast(97))
    results.add("bare_htb_root_kept", kept["bare_htb_root_kept"] ?? [])
    try bed.detach()
    results.remark("unrelated_kept: packets/s kept beside 100 rules of others, beyond a bare HTB root on a device without a queue.")
}

/// Ten thousand rates: as buckets, and as classes beside `tc -b`.
func measureUpdates(_ plan: Plan, _ results: Results) throws {
    let bed = try ShapingBed(plan)
    try bed.attach()
    let count = plan.isThorough ? 10_000 : 1000
    func members(_ rate: Double) -> [Shaper.Member] {
        (0..<count).map {
            Shaper.Member(IPPrefix(.v4(0x0b00_0000 | UInt32($0) << 8), length: 24)!, number: $0, rate: BitRate(bitsPerSecond: rate))
        }
    }
    func wanted(_ rate: Double) -> [ShaperName: Shaper] {
        [
            ShaperName("many", on: bed.interface, .egress): Shaper(
                .police(mbit(1), burst: ByteCount(20_000)), sharing: .prefixes(.source), members: members(rate))
        ]
    }
    _ = try bed.tables.apply(wanted(1e6))
    var updates: [Double] = []
    for round in 1...5 {
        let next = wanted(1e6 + Double(round))
        let start = wallSeconds()
        _ = try bed.tables.apply(next)
        updates.append((wallSeconds() - start) * 1000)
    }
    results.add("update_10k_ms", updates, .atMost(50))
    try bed.detach()

    func tree(_ rate: UInt64) -> HTBTree {
        HTBTree(
            (0..<count).map {
                HTBClass(
                    minor: UInt16(2 + $0), rate: rate, ceiling: rate, buffer: 20_000, ceilingBuffer: 20_000, priority: 3, quantum: 2000)
            })
    }
    func script(_ verb: String, _ rate: UInt64) -> String {
        (0..<count).map {
            "class \(verb) dev va parent 4e49: classid 4e49:\(String(2 + $0, radix: 16)) htb rate \(rate * 8)bit burst 3000 cburst 3000 quantum 2000\n"
        }.joined()
    }
    func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = wallSeconds()
        try body()
        return wallSeconds() - start
    }
    let (first, second) = (tree(125_000), tree(150_000))
    let added = try seconds { try bed.classes(first) }
    let changed = try seconds { try bed.classes(second) }
    var one = second
    one.classes[77] = first.classes[77]
    let single = try seconds { try bed.classes(one) }
    try bed.classes(nil)
    try bed.pair.enter(bed.pair.a)
    try shell("tc qdisc add dev va root handle 4e49: htb")
    let (adding, changing) = (script("add", 125_000), script("change", 150_000))
    let addedByTC = try seconds { try shellInput("tc -b -", adding) }
    let changedByTC = try seconds { try shellInput("tc -b -", changing) }
    try shell("tc qdisc del dev va root")
    try bed.pair.leave()
    results.add("htb_add_10k_s", added, reference: addedByTC)
    results.add("htb_change_10k_ms", changed * 1000, .atMost(changedByTC * 1000), reference: changedByTC * 1000)
    results.add("htb_change_one_ms", single * 1000, .atMost(5))
    if count < 10_000 { results.remark("--quick: 1,000 rates, not 10,000.") }
    results.remark("htb_add, htb_change: the reference is `tc -b` with the same classes.")
}
