import Synchronization

/// Two CPUs that meet packets of one flow at the same time, against one alone: what sharing costs.
func measureTwoCPUs(_ plan: Plan, _ results: Results) throws {
    guard CPU.count > 1 else { return results.remark("One CPU: two_cpus was not measured.") }
    let bed = try Testbed()
    bed.meet(.uniform(1))
    var ratios: [String: [Double]] = [:]
    var together: [Double] = []
    for round in 0...plan.longRounds {
        var alone: [Testbed.Program: Double] = [:]
        var both: [Testbed.Program: Double] = [:]
        for program in [Testbed.Program.noop, .nilo, .reference] {
            alone[program] = try runOn([plan.cpu], bed, program)
            both[program] = try runOn([plan.cpu, plan.otherCPU], bed, program)
        }
        // The first round warms up.
        guard round > 0, let nothing = alone[.noop], let nothingBoth = both[.noop] else { continue }
        for program in [Testbed.Program.nilo, .reference] {
            ratios[program.rawValue, default: []].append((both[program]! - nothingBoth) / max(1, alone[program]! - nothing))
        }
        together.append(both[.nilo]! - nothingBoth)
    }
    _ = try bed.account()
    results.add("two_cpus_hot_ns", together)
    // One nanosecond is the clock's step: a twentieth of what is measured.
    results.add(
        "two_cpus_ratio", ratios[Testbed.Program.nilo.rawValue]!, .atMost(1.05),
        reference: median(ratios[Testbed.Program.reference.rawValue]!))
}

/// The first CPU's nanoseconds per packet while all of them run the program. The others run until it is done, so that it is never alone.
private func runOn(_ cpus: [Int], _ bed: Testbed, _ program: Testbed.Program) throws -> Double {
    let race = Race()
    let others = try cpus.dropFirst().map { cpu in
        try PinnedThread(cpu: cpu) {
            race.started.add(1, ordering: .relaxed)
            while !race.isDone.load(ordering: .relaxed) { _ = try bed.run(program, times: 1 << 16) }
        }
    }
    let first = try PinnedThread(cpu: cpus[0]) {
        defer { race.isDone.store(true, ordering: .relaxed) }
        while race.started.load(ordering: .relaxed) < cpus.count - 1 {}
        race.nanoseconds = try bed.run(program)
    }
    try first.join()
    for other in others { try other.join() }
    return race.nanoseconds
}

/// Unchecked: `nanoseconds` is written by one thread and read after it was joined.
private final class Race: @unchecked Sendable {
    let started = Atomic(0)
    let isDone = Atomic(false)
    var nanoseconds = 0.0
}
