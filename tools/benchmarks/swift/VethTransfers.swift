import CBench
import Glibc

/// TCP in bulk over a veth pair, with segmentation left to the device and without: how much of the CPU is kept.
func measureVethTransfers(_ plan: Plan, _ results: Results) throws {
    for (name, offloads, bytes, bound) in [("tcp_gso", "on", UInt64(512 << 20), 99.0), ("tcp_nogso", "off", 96 << 20, 96)] {
        let pair = try VethPair(plan)
        for (device, namespace) in [("va", pair.a), ("vb", pair.b)] {
            try pair.enter(namespace)
            try shell("ethtool -K \(device) tso \(offloads) gso \(offloads) gro \(offloads) >/dev/null")
        }
        var ends: [Int32] = [-1, -1]
        try stay(on: plan.cpu)
        try checked(bench_tcp_connect(pair.a, pair.b, 5201, &ends), "connect over the veth pair")
        defer { for end in ends { close(end) } }
        try pair.leave()
        let start = wallSeconds()
        try checked(bench_tcp_move(ends, bytes), "move bytes over TCP")
        let rate = Double(bytes) * 8 / 1e9 / (wallSeconds() - start)
        let kept = try pair.kept(pairs: plan.pairs) { try checked(bench_tcp_move(ends, bytes / 4), "move bytes over TCP") }
        results.add("\(name)_kept_percent", kept.percent, .atLeast(bound))
        results.add("\(name)_bare_gbit_s", rate)
    }
    results.remark(
        "tcp: one connection, both ends on one thread of one CPU, programs on ingress and egress of both devices (four runs per exchange).")
}
