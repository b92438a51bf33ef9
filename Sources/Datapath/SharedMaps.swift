import CDatapath
import CLibBPF
import Glibc
import NetworkTypes

/// The maps that all program instances share and that outlive the agent: made once, pinned in bpffs, taken over by the next agent.
public final class SharedMaps {
    /// Every map of the flow programs but the port table, which each instance has for itself. `nilo_meta` is the last to be pinned: where
    /// it is, all are.
    static let names = [
        "nilo_sets", "nilo_slots", "nilo_seen", "nilo_log", "nilo_log_heads", "nilo_log_tails", "nilo_ledgers", "nilo_registry",
        "nilo_ghosts", "nilo_fragments", "nilo_syns", "nilo_events", "nilo_scratchpad", "nilo_policies",
        "nilo_program", "nilo_prefixes", "nilo_rules", "nilo_verdicts",
        "nilo_samplers", "nilo_sample_heads", "nilo_sample_tails", "nilo_samples",
        "nilo_shapers", "nilo_rates", "nilo_buckets", "nilo_hashed", "nilo_shape_nets", "nilo_net_scratch", "nilo_chosens", "nilo_leaves",
        "nilo_shaped",
        "nilo_mirrors", "nilo_copies", "nilo_mirror_cap", "nilo_mirror_now", "nilo_sketches", "nilo_meta",
    ]
    /// Of those, what no agent leaves to the next: what is in it is of the second that runs.
    static let passing = ["nilo_sketches"]

    public let config: nilo_config
    private let descriptors: [String: Int32]

    /// Makes new, empty maps.
    /// - Parameter seed: of the flow hash.
    public convenience init(
        geometry: TableGeometry, features: DatapathFeatures = .all, vxlanPorts: (UInt16, UInt16) = (4789, 0), seed: UInt64
    )
        throws(BPFError)
    {
        let config = geometry.config(
            cpus: Int(try check(libbpf_num_possible_cpus(), "count CPUs")), seed: seed, features: features.rawValue, vxlanPorts: vxlanPorts)
        try self.init(making: config)
    }

    private init(making config: nilo_config) throws(BPFError) {
        var config = config
        if config.wake_jiffies == 0 { config.wake_jiffies = Self.wakeJiffies }
        config.jiffy_ns = UInt64(JiffyClock.nanosecondsPerJiffy)
        let descriptors = try Self.make(Self.names, config)
        self.config = config
        self.descriptors = descriptors
        var zero: UInt32 = 0
        try check(bpf_map_update_elem(descriptors["nilo_meta"]!, &zero, &config, 0), "write nilo_meta")
    }

    /// Makes the maps of these names, and no others.
    private static func make(_ names: [String], _ config: nilo_config) throws(BPFError) -> [String: Int32] {
        let object = try FlowObject(config: config)
        try object.skipPrograms(andMapsBut: names)
        try object.load("the flow maps")
        var descriptors: [String: Int32] = [:]
        for name in names {
            let fd = fcntl(object.mapDescriptor(name), F_DUPFD_CLOEXEC, 3)
            guard fd >= 0 else { throw BPFError("keep map \(name)", code: errno) }
            descriptors[name] = fd
        }
        return descriptors
    }

    /// Takes over maps that an earlier agent pinned: their sizes and hash stay, what the programs do is chosen anew.
    init(pinnedIn directory: String, features: DatapathFeatures, vxlanPorts: (UInt16, UInt16)) throws(BPFError) {
        var descriptors: [String: Int32] = [:]
        for name in Self.names where !Self.passing.contains(name) {
            descriptors[name] = try check(bpf_obj_get("\(directory)/\(name)"), "open pinned map \(name)")
        }
        var zero: UInt32 = 0
        var config = nilo_config()
        try check(bpf_map_lookup_elem(descriptors["nilo_meta"]!, &zero, &config), "read nilo_meta")
        config.features = features.rawValue
        config.vxlan_ports = vxlanPorts
        try check(bpf_map_update_elem(descriptors["nilo_meta"]!, &zero, &config, 0), "write nilo_meta")
        descriptors.merge(try Self.make(Self.passing, config)) { pinned, _ in pinned }
        self.config = config
        self.descriptors = descriptors
    }

    deinit { for fd in descriptors.values { close(fd) } }

    package func descriptor(_ name: String) -> Int32 {
        guard let fd = descriptors[name] else { preconditionFailure("no shared map \(name)") }
        return fd
    }

    /// Zeroes books and puts the interface's name on them.
    /// - Precondition: no program writes to them: nobody was given them yet, or their interface is gone.
    package func openLedger(_ ledger: UInt32, for id: InterfaceID) throws(BPFError) {
        for cpu in 0..<config.cpus {
            for direction in 0..<UInt32(2) {
                var index = (cpu * config.ledgers + ledger) * 2 + direction
                var fresh = nilo_ledger()
                fresh.owner = id.rawValue
                try check(bpf_map_update_elem(descriptor("nilo_ledgers"), &index, &fresh, 0), "open ledger \(ledger)")
            }
        }
    }

    /// Pins every map under its name. `directory` exists and is a bpffs; what a process that died here left in it is no use to anyone.
    func pin(in directory: String) throws(BPFError) {
        for name in PinDirectory.entries(of: directory) where unlink("\(directory)/\(name)") != 0 {
            throw BPFError("remove \(directory)/\(name)", code: errno)
        }
        for name in Self.names where !Self.passing.contains(name) {
            try check(bpf_obj_pin(descriptor(name), "\(directory)/\(name)"), "pin map \(name)")
        }
    }

    /// Memory that the kernel holds for the maps of fixed size, bytes.
    public var bytes: Int { config.bytes }

    /// Ten milliseconds in jiffies, rounded up: the least time between two wake-ups.
    private static var wakeJiffies: UInt32 { UInt32((10_000_000 + JiffyClock.nanosecondsPerJiffy - 1) / JiffyClock.nanosecondsPerJiffy) }
}

/// What the programs do beyond counting.
public struct DatapathFeatures: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// TCP sequence and handshake analysis.
    public static let tcp = DatapathFeatures(rawValue: UInt32(NILO_FEATURE_TCP.rawValue))
    /// Look inside VXLAN.
    public static let vxlan = DatapathFeatures(rawValue: UInt32(NILO_FEATURE_VXLAN.rawValue))
    /// Sketches of the packets that are in no slot.
    public static let sketches = DatapathFeatures(rawValue: UInt32(NILO_FEATURE_SKETCHES.rawValue))
    public static let all: DatapathFeatures = [.tcp, .vxlan, .sketches]
}
