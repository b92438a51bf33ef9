import Glibc

/// How long to measure, and where.
struct Plan {
    /// Rounds of interleaved test runs.
    var rounds = 15
    /// The same for what takes seconds each.
    var longRounds = 7
    /// Pairs of interleaved runs with and without the programs on a device.
    var pairs = 15
    var idleSeconds = 10
    /// Frames sent in one run over a device.
    var frames: UInt64 = 60_000
    /// Whether to measure what takes seconds for one figure.
    var isThorough = true
    /// A folder of capture files.
    var captures: String?

    static let quick = Plan(rounds: 3, longRounds: 2, pairs: 3, idleSeconds: 2, frames: 30_000, isThorough: false)

    /// The CPU under measurement: the last one, for devices tend to interrupt the first.
    var cpu: Int { max(0, CPU.count - 1) }
    /// Where the collector runs.
    var otherCPU: Int { 0 }
}

enum CPU {
    static let count = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}
