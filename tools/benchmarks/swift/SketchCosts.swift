import Datapath

/// What sketching adds to a packet, beside the same datapath with sketches off in the same run: where all flows have slots, where flows come and
/// go but the reader keeps up, and where every packet is one too many.
func measureSketches(_ plan: Plan, _ results: Results) throws {
    let flood = TableGeometry(flows: 1024 * CPU.count, logRecordsPerCPU: 256)
    try compare("known_flow", TableGeometry(), .uniform(1), Testbed.acknowledgement, reads: false, nil, plan, results)
    try compare("new_flows", TableGeometry(), .uniform(1 << 20), Testbed.opening, reads: true, nil, plan, results)
    try compare("no_slot", flood, .uniform(1 << 20), Testbed.opening, reads: false, .atMost(20), plan, results)
    try compare("no_slot_one_source", flood, .uniform(1 << 20), Testbed.opening, reads: false, .atMost(20), mixed: false, plan, results)
    results.remark("Nanoseconds per packet net of the no-op; `added` is what sketching costs, pairs of runs interleaved.")
}

/// - Parameter mixed: whether packets come from all the sources, or after the table has been filled by them from one.
private func compare(
    _ name: String, _ geometry: TableGeometry, _ order: FlowOrder, _ frame: [UInt8], reads: Bool, _ target: Results.Target?,
    mixed: Bool = true, _ plan: Plan, _ results: Results
) throws {
    let beds = try [DatapathFeatures.all.subtracting(.sketches), .all].map { try Testbed(geometry, $0) }
    let sketch = try beds.map { try SketchReader(maps: $0.maps) }
    try stay(on: plan.cpu)
    for bed in beds { bed.meet(order) }
    let collectors = try reads ? beds.map { try DrainingCollector($0) } : []
    for collector in collectors { try collector.start(on: plan.otherCPU) }
    for bed in beds { _ = try bed.run(.nilo, frame) }
    if !mixed { for bed in beds { bed.meet(.uniform(1)) } }
    _ = sketch.map { $0?.take() }
    var off: [Double] = []
    var on: [Double] = []
    var sketched: UInt64 = 0
    for _ in 0..<(reads ? plan.longRounds : plan.rounds) {
        let nothing = try beds[0].run(.noop, frame)
        off.append(try beds[0].run(.nilo, frame) - nothing)
        on.append(try beds[1].run(.nilo, frame) - nothing)
        sketched += sketch[1]?.take()?.packets ?? 0
    }
    for collector in collectors { try collector.stop() }
    for bed in beds { _ = try bed.account() }
    results.add("\(name)_off_ns", off)
    results.add("\(name)_on_ns", on)
    results.add("\(name)_added_ns", zip(on, off).map { $0 - $1 }, target)
    results.add("\(name)_sketched_percent", 100 * Double(sketched) / Double(on.count * FlowOrder.count))
}
