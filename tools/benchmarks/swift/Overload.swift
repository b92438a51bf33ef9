import Datapath
import Glibc

/// Four times as many flows as the CPU's part of the table holds, with a heavy tail: how many packets find their flow.
func measureOverload(_ plan: Plan, _ results: Results) throws {
    try measure("overload", packetsPerSecond: nil, .atLeast(90), plan, results)
    if plan.isThorough { try measure("overload_1mpps", packetsPerSecond: 1e6, nil, plan, results) }
    results.remark(
        "overload: Zipf s = 1.1 over 262,144 flows, 65,536 slots for the CPU, as fast as it goes and at a million packets a second.")
}

private func measure(
    _ name: String, packetsPerSecond: Double?, _ target: Results.Target?, _ plan: Plan, _ results: Results
) throws {
    let bed = try Testbed(TableGeometry(flows: 65_536 * CPU.count))
    try stay(on: plan.cpu)
    bed.meet(.zipf(262_144, s: 1.1))
    let collector = try DrainingCollector(bed)
    var samples: [Double] = []
    var overflow: UInt64 = 0
    var before = try bed.account()
    try collector.start(on: plan.otherCPU)
    for _ in 0..<(plan.isThorough ? 5 : 2) {
        if let packetsPerSecond {
            try pace(bed, packets: FlowOrder.count, packetsPerSecond)
        } else {
            for _ in 0..<4 { _ = try bed.run(.nilo) }
        }
        try collector.stop()
        let account = try bed.account()
        samples.append(account.attributed(since: before))
        overflow += account.overflow - before.overflow
        before = account
        try collector.start(on: plan.otherCPU)
    }
    try collector.stop()
    results.add("\(name)_attributed_percent", samples, target)
    results.add("\(name)_overflow_packets", Double(overflow))
}

/// Packets in small batches, each at its time.
private func pace(_ bed: Testbed, packets: Int, _ packetsPerSecond: Double) throws {
    let start = wallSeconds()
    for sent in stride(from: 0, to: packets, by: 256) {
        while wallSeconds() - start < Double(sent) / packetsPerSecond {}
        _ = try bed.run(.nilo, times: 256)
    }
}
