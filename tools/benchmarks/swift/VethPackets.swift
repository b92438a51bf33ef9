import CBench
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
    let variants = [
        ("one_flow", UInt32(1), 96.0, true), ("100k", 100_000, 78, true), ("one_flow_sender_only", 1, 96, false),
        ("100k_sender_only", 100_000, 78, false),
    ]
    for (name, flows, bound, both) in variants where both || plan.isThorough {
        let before = pair.counted()
        let kept = try pair.kept(pairs: plan.pairs, toReceiver: both) {
            try checked(bench_frames_send(sender, VethPair.macB, plan.frames, flows), "send frames")
        }
        let after = pair.counted()
        // Warm-up and measured run of each pair, on the way out and perhaps on the way in.
        let expected = UInt64(plan.pairs) * 2 * (both ? 2 : 1) * plan.frames
        guard after.seen - before.seen >= expected else {
            throw BenchError("the programs saw \(after.seen - before.seen) packets where \(expected) were sent")
        }
        results.add("veth_\(name)_kept_percent", kept.percent, .atLeast(bound))
        results.add("veth_\(name)_bare_ns", kept.without.map { $0 * 1e9 / Double(plan.frames) })
        results.add(
            "veth_\(name)_attributed_percent", 100 - 100 * Double(after.overflow - before.overflow) / Double(after.seen - before.seen))
    }
    results.remark("veth, sender_only: with the programs on the sender's device alone, so that a frame meets one.")
    results.remark(
        "veth: every frame meets two programs, on egress of the sender's device and on ingress of the receiver's; UDP to a full socket.")
    results.remark("Kept: CPU time without the programs over that with them, sender and softirqs, on one CPU; pairs of runs in ABBA order.")
}
