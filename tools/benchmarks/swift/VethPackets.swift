import CBench
import Datapath
import Glibc

/// 60-byte frames over a veth pair: how much of the CPU is kept with the programs on both devices.
func measureVethPackets(_ plan: Plan, _ results: Results) throws {
    let pair = try VethPair(plan)
    try pair.enter(pair.b)
    let sink = try checked(bench_frames_sink(), "open the receiving socket")
    defer { close(sink) }
    try pair.enter(pair.a)
    let sender = try checked(bench_frames_open(if_nametoindex("va")), "open the sending socket")
    defer { close(sender) }
    try pair.leave()
    let send = { (flows: UInt32) in
        try checked(bench_frames_send(sender, VethPair.macB, plan.frames, flows), "send frames")
    }
    let variants: [(String, UInt32, Double, VethPair.Load)] = [
        ("one_flow", 1, 96, .both), ("100k", 100_000, 78, .both), ("one_flow_sender_only", 1, 96, .sender),
        ("100k_sender_only", 100_000, 78, .sender),
    ]
    for (name, flows, bound, load) in variants.prefix(plan.isThorough ? 4 : 2) {
        let before = pair.counted()
        let kept = try pair.kept(pairs: plan.pairs, load) { _ = try send(flows) }
        let after = pair.counted()
        // Warm-up and measured run of each pair, on the way out at least.
        let expected = UInt64(plan.pairs) * 2 * plan.frames
        guard after.seen - before.seen >= expected else {
            throw BenchError("the programs saw \(after.seen - before.seen) packets where \(expected) were sent")
        }
        results.add("veth_\(name)_kept_percent", kept.percent, .atLeast(bound))
        results.add("veth_\(name)_bare_ns", kept.without.map { $0 * 1e9 / Double(plan.frames) })
        results.add(
            "veth_\(name)_attributed_percent", 100 - 100 * Double(after.overflow - before.overflow) / Double(after.seen - before.seen))
    }
    let hooks = try pair.kept(pairs: plan.pairs, .empty(try Testbed(TableGeometry(flows: 4096)))) { _ = try send(1) }
    results.add("veth_empty_kept_percent", hooks.percent)
    results.remark("veth_empty: an empty program in the programs' place on both devices: what the kernel's hooks cost by themselves.")
    results.remark("veth, sender_only: with the programs on the sender's device alone, so that a frame meets one.")
    results.remark(
        "veth: every frame meets two programs, on egress of the sender's device and on ingress of the receiver's; UDP to a full socket.")
    results.remark("Kept: CPU time without the programs over that with them, sender and softirqs, on one CPU; pairs of runs in ABBA order.")
}
