import CLibBPF
import Datapath
import Glibc

private let slots = 262_144

/// Finding what is new among 262,144 slots, and what each changed one costs to take over; the same number of entries in a hash map.
func measureReading(_ plan: Plan, _ results: Results) throws {
    let bed = try Testbed(TableGeometry(flows: slots))
    let perCPU = slots / CPU.count
    try runEverywhere(bed, flows: perCPU)
    _ = try bed.account()
    try stay(on: plan.cpu)
    func find() -> Double { milliseconds { _ = bed.reader.changedSets() } }
    func findAfter(_ flows: Int) throws -> [Double] {
        try (0..<plan.longRounds).map { _ in
            try runEverywhere(bed, flows: flows)
            try stay(on: plan.cpu)
            defer { _ = try? bed.collect() }
            return find()
        }
    }
    let nothing = (0..<plan.rounds * 4).map { _ in find() }
    let hundredth = try findAfter(perCPU / 100)
    var all: [Double] = []
    var copies: [Double] = []
    for _ in 0..<plan.longRounds {
        try runEverywhere(bed, flows: perCPU)
        try stay(on: plan.cpu)
        let finding = find()
        var pass = SlotReader.Pass()
        let start = wallSeconds()
        pass = try bed.collect()
        all.append(finding)
        copies.append(((wallSeconds() - start) * 1e3 - finding) * 1e6 / Double(pass.changed))
    }
    _ = try bed.account()
    let conventional = try readHash(entries: slots, oneByOne: plan.isThorough)
    results.add("read_262k_ms", nothing, .atMost(2), reference: conventional.batched)
    results.add("read_262k_1_percent_ms", hundredth, .atMost(2), reference: conventional.batched)
    results.add("read_262k_all_ms", all, .atMost(2), reference: conventional.batched)
    results.add("copy_slot_ns", copies)
    results.add("hash_262k_batched_ms", conventional.batched)
    if let each = conventional.each { results.add("hash_262k_one_by_one_ms", each) }
    results.remark(
        "read_262k: finding the changed slots when none, 1 % and all are; copy_slot: taking each over into a flow that is known.")
}

/// A million flows from the datapath into an empty flow table.
func measureCollecting(_ plan: Plan, _ results: Results) throws {
    let flows = 1 << 20
    let samples = try (0..<(plan.isThorough ? 3 : 1)).map { _ in
        // Twice the room: without a collector at work, no flow has to leave.
        let bed = try Testbed(TableGeometry(flows: flows * 2))
        try runEverywhere(bed, flows: flows / CPU.count)
        try stay(on: plan.cpu)
        let start = seconds(CLOCK_PROCESS_CPUTIME_ID)
        _ = try bed.collect()
        let spent = seconds(CLOCK_PROCESS_CPUTIME_ID) - start
        let account = try bed.account()
        guard bed.table.count + 100 >= flows / CPU.count * CPU.count, account.overflow == 0 else {
            throw BenchError("\(bed.table.count) of \(flows) flows were collected, \(account.overflow) packets are in no flow")
        }
        return spent
    }
    results.add("collect_1m_cpu_s", samples, .atMost(1))
}

/// Each CPU meets flows of its own, each at least once.
private func runEverywhere(_ bed: Testbed, flows: Int) throws {
    for cpu in 0..<CPU.count {
        try stay(on: cpu)
        bed.meet(.uniform(flows, from: cpu << 24))
        _ = try bed.run(.nilo, times: FlowOrder.count)
    }
}

private func milliseconds(_ body: () -> Void) -> Double {
    let start = wallSeconds()
    body()
    return (wallSeconds() - start) * 1e3
}

/// A hash map as flow collectors commonly have: 40 bytes of key, 64 of counters.
private func readHash(entries: Int, oneByOne: Bool) throws -> (batched: Double, each: Double?) {
    let map = try checked(bpf_map_create(BPF_MAP_TYPE_HASH, "bench_hash", 40, 64, UInt32(entries), nil), "make a hash map")
    defer { close(map) }
    var keys = [UInt64](repeating: 0, count: entries * 5)
    var values = [UInt64](repeating: 1, count: entries * 8)
    for i in 0..<entries { keys[i * 5] = UInt64(i) }
    var count = UInt32(entries)
    try checked(bpf_map_update_batch(map, keys, values, &count, nil), "fill a hash map")
    let start = wallSeconds()
    var read = 0
    var from: UnsafeMutablePointer<UInt32>?
    var result: Int32 = 0
    let cursor = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    defer { cursor.deallocate() }
    while result == 0 {
        count = 4096
        var next: UInt32 = 0
        result = bpf_map_lookup_batch(map, from, &next, &keys, &values, &count, nil)
        if result != 0 && result != -ENOENT { try checked(result, "read a hash map") }
        cursor.pointee = next
        from = cursor
        read += Int(count)
    }
    let batched = (wallSeconds() - start) * 1e3
    guard read == entries else { throw BenchError("\(read) of \(entries) entries came out of the hash map") }
    guard oneByOne else { return (batched, nil) }
    let each = milliseconds {
        var key = [UInt64](repeating: 0, count: 5)
        var last: [UInt64]?
        var value = [UInt64](repeating: 0, count: 8)
        var found = 0
        while bpf_map_get_next_key(map, last, &key) == 0, bpf_map_lookup_elem(map, key, &value) == 0 {
            last = key
            found += 1
        }
        precondition(found == entries, "\(found) of \(entries) entries were read one by one")
    }
    return (batched, each)
}
