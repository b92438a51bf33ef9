/// One hot flow, and what the same packet costs the no-op and the reference.
func measureHotFlow(_ plan: Plan, _ results: Results) throws {
    let bed = try Testbed()
    try stay(on: plan.cpu)
    bed.meet(.uniform(1))
    for program in [Testbed.Program.noop, .nilo, .reference] { _ = try bed.run(program) }
    var noop: [Double] = []
    var tcp: [Double] = []
    var udp: [Double] = []
    var reference: [Double] = []
    for _ in 0..<plan.rounds {
        let nothing = try bed.run(.noop)
        noop.append(nothing)
        tcp.append(try bed.run(.nilo) - nothing)
        reference.append(try bed.run(.reference) - nothing)
        udp.append(try bed.run(.nilo, Testbed.datagram) - nothing)
    }
    _ = try bed.account()
    results.add("noop_ns", noop)
    results.add("reference_ns", reference)
    results.add("hot_flow_ns", tcp, .atMost(20), reference: median(reference))
    results.add("hot_flow_udp_ns", udp, .atMost(20), reference: median(reference))
    results.remark("Nanoseconds per packet are net of the no-op, one BPF_PROG_TEST_RUN of 2^20 packets a sample, rounds interleaved.")
}
