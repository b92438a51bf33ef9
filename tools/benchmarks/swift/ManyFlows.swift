import Datapath

/// Uniform order over many flows, with a collector at work on the other CPU: what cache misses, evictions and reading cost.
func measureManyFlows(_ plan: Plan, _ results: Results) throws {
    try measure("flows_131k", flows: 131_072, TableGeometry(), .atMost(160), plan, results)
    // The table that a user who expects a million flows gives the CPU, and the default one under eight times what it holds.
    try measure("flows_1m", flows: 1 << 20, TableGeometry(flows: CPU.count << 20), .atMost(350), plan, results)
    guard plan.isThorough else { return }
    // With twice the room that they need no flow has to leave: cache misses alone.
    try measure("flows_131k_half_full", flows: 131_072, TableGeometry(flows: 262_144 * CPU.count), .atMost(160), plan, results)
    try measure("flows_1m_default_table", flows: 1 << 20, TableGeometry(), nil, plan, results)
}

private func measure(
    _ name: String, flows: Int, _ geometry: TableGeometry, _ target: Results.Target?, _ plan: Plan, _ results: Results
) throws {
    let bed = try Testbed(geometry)
    try stay(on: plan.cpu)
    bed.meet(.uniform(flows))
    let collector = try DrainingCollector(bed)
    try collector.start(on: plan.otherCPU)
    _ = try bed.run(.nilo)
    _ = try bed.run(.reference)
    try collector.stop()
    let before = try bed.account()
    var nilo: [Double] = []
    var reference: [Double] = []
    try collector.start(on: plan.otherCPU)
    let start = wallSeconds()
    let spent = collector.cpuSeconds
    let passed = collector.readings
    for _ in 0..<plan.longRounds {
        let nothing = try bed.run(.noop)
        nilo.append(try bed.run(.nilo) - nothing)
        reference.append(try bed.run(.reference, times: FlowOrder.count / 4) - nothing)
    }
    let took = wallSeconds() - start
    try collector.stop()
    let account = try bed.account()
    results.add("\(name)_ns", nilo, target, reference: median(reference))
    results.add("\(name)_attributed_percent", account.attributed(since: before))
    results.add("\(name)_overflow_packets", Double(account.overflow - before.overflow))
    results.add("\(name)_collector_readings_per_s", Double(collector.readings - passed) / took)
    results.add("\(name)_collector_cpu_percent", 100 * (collector.cpuSeconds - spent) / took)
}
