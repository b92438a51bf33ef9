import CDatapath
import CLibBPF

/// How large the kernel side is made: every bound that the datapath has, chosen once and kept until the maps are removed.
public struct TableGeometry: Sendable, Equatable {
    /// Slots in all, over all CPUs. Rounded up to a power of two of sets per CPU.
    public var flows: Int
    /// Records per CPU that wait for user space when a full set must let a flow go.
    public var logRecordsPerCPU: Int
    /// Interfaces that can be accounted at the same time (and have been since the maps were made).
    public var ledgers: Int
    /// TCP sequence states remembered for flows that have left the table.
    public var ghosts: Int
    /// Bytes of packet samples that wait for user space, over all CPUs. Rounded up to a power of two per CPU.
    public var sampleBytes: Int

    public init(
        flows: Int = 262_144, logRecordsPerCPU: Int = 16_384, ledgers: Int = 4096, ghosts: Int = 262_144, sampleBytes: Int = 4 << 20
    ) {
        self.flows = flows
        self.logRecordsPerCPU = logRecordsPerCPU
        self.ledgers = ledgers
        self.ghosts = ghosts
        self.sampleBytes = sampleBytes
    }

    /// The fewest slots that a CPU gets, however many CPUs there are.
    static let slotsPerCPUFloor = 4096
    /// The fewest bytes of samples that a CPU gets.
    static let sampleBytesPerCPUFloor = 16_384

    static func powerOfTwo(atLeast n: Int) -> Int {
        var p = 1
        while p < n { p <<= 1 }
        return p
    }

    /// - Parameter seed: of the flow hash; unpredictable, so that a sender cannot aim at one set.
    func config(cpus: Int, seed: UInt64, features: UInt32, vxlanPorts: (UInt16, UInt16)) -> nilo_config {
        let slotsPerCPU = max(flows / cpus, min(flows, Self.slotsPerCPUFloor), Int(NILO_WAYS))
        var config = nilo_config()
        config.cpus = UInt32(cpus)
        config.sets_mask = UInt32(Self.powerOfTwo(atLeast: slotsPerCPU) / Int(NILO_WAYS) - 1)
        config.log_mask = UInt32(Self.powerOfTwo(atLeast: logRecordsPerCPU) - 1)
        config.log_wake = (config.log_mask + 1) / 4
        config.ledgers = UInt32(ledgers)
        config.ghosts_mask = UInt32(Self.powerOfTwo(atLeast: ghosts) - 1)
        config.sample_mask = UInt32(Self.powerOfTwo(atLeast: max(sampleBytes / cpus, Self.sampleBytesPerCPUFloor)) - 1)
        config.features = features
        config.vxlan_ports = vxlanPorts
        config.hash_seed = seed
        return config
    }
}

extension nilo_config {
    var setCount: Int { Int(cpus) * Int(sets_mask + 1) }
    var slotCount: Int { setCount * Int(NILO_WAYS) }
    var logCount: Int { Int(cpus) * Int(log_mask + 1) }
    var ledgerCount: Int { Int(cpus) * Int(ledgers) * 2 }

    /// Bytes of a CPU's ring of samples, with the room behind it for the last one (`NILO_SAMPLE_ROOM`).
    var sampleRingBytes: Int { Int(sample_mask) + 1 + MemoryLayout<nilo_sample>.size + Int(NILO_SNAP_MOST) }

    var sketches: Bool { features & NILO_FEATURE_SKETCHES.rawValue != 0 }
    var sketchCount: Int { sketches ? Int(cpus) : 1 }

    /// Entries of each map whose size is chosen by user space.
    var entries: [(map: String, count: Int)] {
        [
            ("nilo_sets", setCount), ("nilo_slots", slotCount), ("nilo_seen", setCount), ("nilo_log", logCount),
            ("nilo_log_heads", Int(cpus)), ("nilo_log_tails", Int(cpus)), ("nilo_ledgers", ledgerCount),
            ("nilo_ghosts", Int(ghosts_mask) + 1), ("nilo_verdicts", slotCount),
            ("nilo_samplers", Int(cpus) * Int(NILO_SAMPLERS)), ("nilo_sample_heads", Int(cpus)), ("nilo_sample_tails", Int(cpus)),
            ("nilo_samples", Int(cpus)),
            ("nilo_sketches", sketchCount),
            ("nilo_chosens", slotCount), ("nilo_shaped", Int(cpus) * Int(NILO_SHAPERS)),
        ]
    }
}
