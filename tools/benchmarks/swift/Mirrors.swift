import CBench
import Glibc

/// Per round, what one way takes over what the other takes.
private func ratio(_ times: [MirrorBed.Way: [Double]], _ above: MirrorBed.Way, _ below: MirrorBed.Way) -> [Double] {
    zip(times[above] ?? [], times[below] ?? []).map { $0 / $1 }
}

/// 60-byte frames from a sender whose device is mirrored: how much of the CPU is kept, and how that compares with tc's own ways.
func measureMirroredPackets(_ plan: Plan, _ results: Results) throws {
    let bed = try MirrorBed(plan)
    try bed.enter(bed.b)
    let sink = try checked(bench_frames_sink(), "open the receiving socket")
    defer { close(sink) }
    try bed.enter(bed.a)
    let sender = try checked(bench_frames_open(if_nametoindex("va")), "open the sending socket")
    defer { close(sender) }
    try bed.leave()
    let ways: [MirrorBed.Way] = [
        .nothing, .counting, .mirred(counting: false), .mirred(counting: true), .session(.whole), .session(.oneInTen), .session(.capped),
        .session(.cut), .session(.vxlan), .mirredToVXLAN,
    ]
    let times = try bed.times(ways, rounds: plan.pairs, cpu: plan.cpu) {
        try checked(bench_frames_send(sender, VethPair.macB, plan.frames, 1), "send frames")
    }
    results.add("local_over_mirred", ratio(times, .mirred(counting: true), .session(.whole)), .atLeast(0.97))
    results.add("capped_kept", ratio(times, .counting, .session(.capped)), .atLeast(0.95))
    results.add("one_in_ten_kept", ratio(times, .counting, .session(.oneInTen)), .atLeast(0.92))
    results.add("vxlan_over_plain", ratio(times, .mirredToVXLAN, .session(.vxlan)), .atLeast(2))
    results.add("local_over_mirred_alone", ratio(times, .mirred(counting: false), .session(.whole)))
    for (name, way) in [
        ("counting", MirrorBed.Way.counting), ("mirred", .mirred(counting: false)), ("counting_and_mirred", .mirred(counting: true)),
        ("local", .session(.whole)), ("one_in_ten", .session(.oneInTen)), ("capped", .session(.capped)), ("cut_to_64", .session(.cut)),
        ("vxlan", .session(.vxlan)), ("mirred_to_vxlan", .mirredToVXLAN),
    ] {
        results.add("\(name)_of_bare", ratio(times, .nothing, way))
    }
    results.add("bare_ns", (times[.nothing] ?? []).map { $0 * 1e9 / Double(plan.frames) })
    results.remark(
        "60-byte frames over a veth pair, one CPU, sender and softirqs; *_of_bare is the share of the sender's packets that is kept.")
    results.remark(
        "local_over_mirred: counting and mirred beside it, over our session with its counting; *_alone: mirred with nothing beside.")
    results.remark("capped_kept (a cap of 1,000 packets/s) and one_in_ten_kept are beside counting alone.")
}

/// TCP in bulk with segmentation left to the device, mirrored to a collector over VXLAN.
func measureMirroredTransfers(_ plan: Plan, _ results: Results) throws {
    let bed = try MirrorBed(plan)
    var ends: [Int32] = [-1, -1]
    try stay(on: plan.cpu)
    try checked(bench_tcp_connect(bed.a, bed.b, 5202, &ends), "connect over the veth pair")
    defer { for end in ends { close(end) } }
    try bed.leave()
    let times = try bed.times(
        [.nothing, .counting, .mirred(counting: false), .session(.whole), .session(.vxlan), .mirredToVXLAN], rounds: plan.pairs,
        cpu: plan.cpu
    ) {
        try checked(bench_tcp_move(ends, 128 << 20), "move bytes over TCP")
    }
    results.add("vxlan_kept", ratio(times, .counting, .session(.vxlan)), .atLeast(0.8))
    results.add("tcp_vxlan_of_bare", ratio(times, .nothing, .session(.vxlan)))
    results.add("tcp_counting_kept", ratio(times, .nothing, .counting))
    results.add("tcp_mirred_kept", ratio(times, .nothing, .mirred(counting: false)))
    results.add("tcp_local_kept", ratio(times, .nothing, .session(.whole)))
    results.add("tcp_mirred_to_vxlan_kept", ratio(times, .nothing, .mirredToVXLAN))
    results.remark(
        "vxlan_kept: one TCP connection, both ends on one CPU, a path of 1,600 bytes; egress is mirrored; beside counting alone.")
}
