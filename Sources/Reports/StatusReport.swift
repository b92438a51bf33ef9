import NetworkTypes

/// How the agent is: one screen's worth.
public struct StatusReport: Codable, Hashable, Sendable {
    public var version: String
    public var pid: Int32
    public var kernel: String
    public var startedAt: String
    public var uptimeSeconds: Double
    /// `NILO_ABI_VERSION` of the pinned records.
    public var recordVersion: UInt32
    /// When an earlier agent's counters were taken over.
    public var tookOver: Bool
    public var interfaces: Int
    /// Interfaces whose books do not close, or whose device disagrees.
    public var interfacesInDoubt: [String]
    public var flows: Int
    public var flowLimit: Int
    public var memory: Memory
    public var collector: Collector
    /// nil while the kernel's run-time statistics are off (sysctl kernel.bpf_stats_enabled).
    public var nanosecondsPerPacket: Double?
    public var exports: [Export]
    /// nil: an agent that has not begun to keep one.
    public var policy: Policy?
    /// nil where none is kept.
    public var topology: Topology?
    /// nil where nothing of the past is kept.
    public var history: History?
    /// nil where no forecasts are made.
    public var forecast: Forecast?
    /// Where the page is to be seen; nil where it is not served.
    public var page: String?
    public var applications: Applications?
    /// What a person should look at, each a sentence.
    public var warnings: [String]

    public struct Memory: Codable, Hashable, Sendable {
        /// The agent's private memory.
        public var privateBytes: UInt64
        /// The kernel's maps, bounded by configuration.
        public var mapBytes: UInt64
        public init(privateBytes: UInt64, mapBytes: UInt64) {
            self.privateBytes = privateBytes
            self.mapBytes = mapBytes
        }
    }

    public struct Collector: Codable, Hashable, Sendable {
        /// Of the slots, how many hold a flow.
        public var slotsUsed: Int
        public var slots: Int
        /// The fullest that a CPU's spill log was found at, 0...1.
        public var fullestLog: Double
        public var readings: UInt64
        public var lastReadingMilliseconds: Double
        public init(slotsUsed: Int, slots: Int, fullestLog: Double, readings: UInt64, lastReadingMilliseconds: Double) {
            self.slotsUsed = slotsUsed
            self.slots = slots
            self.fullestLog = fullestLog
            self.readings = readings
            self.lastReadingMilliseconds = lastReadingMilliseconds
        }
    }

    /// One collector that flows are sent to.
    public struct Export: Codable, Hashable, Sendable {
        /// `ipfix udp 192.0.2.1:4739`.
        public var target: String
        public var records: UInt64
        public var messages: UInt64
        public var notSent: UInt64
        /// nil: all is well.
        public var problem: String?
        public init(target: String, records: UInt64, messages: UInt64, notSent: UInt64, problem: String? = nil) {
            self.target = target
            self.records = records
            self.messages = messages
            self.notSent = notSent
            self.problem = problem
        }
    }

    /// What is mirrored, sampled and shaped, in numbers.
    public struct Policy: Codable, Hashable, Sendable {
        /// Rules in force.
        public var mirrors: Int
        public var samplers: Int
        public var shapers: Int
        /// Names of rules that cannot be carried out, on one interface at least.
        public var refused: [String]
        /// Rules that wait for interfaces.
        public var waiting: [PlanReport.Waiting]
        /// How often something of ours that others had changed was put right.
        public var repaired: Int
        /// How often a root qdisc of others took the place of ours, and rules had to do without their classes.
        public var displaced = 0
        /// Why the folder's files are not what is in force.
        public var problem: String?
        /// Until an unconfirmed change is taken back, seconds; nil: none is pending.
        public var confirmWithinSeconds: Double?
        public init(
            mirrors: Int, samplers: Int, shapers: Int, refused: [String] = [], waiting: [PlanReport.Waiting] = [], repaired: Int = 0,
            problem: String? = nil, confirmWithinSeconds: Double? = nil
        ) {
            self.mirrors = mirrors
            self.samplers = samplers
            self.shapers = shapers
            self.refused = refused
            self.waiting = waiting
            self.repaired = repaired
            self.problem = problem
            self.confirmWithinSeconds = confirmWithinSeconds
        }
    }

    /// Telling applications by the first packets of flows. Counts are since the agent started, but for what the kernel passed over, which is
    /// since its maps were made.
    public struct Applications: Codable, Hashable, Sendable {
        /// `off`, `running`, `pausing` (before the classifier's process is started anew), `stopped`, `failed`.
        public var state: String
        /// The classifier's.
        public var process: Int32?
        /// Sampled packets that were to be looked at, and those that were.
        public var packets: UInt64 = 0
        public var inspected: UInt64 = 0
        /// For the budget of samples or of CPU time was used up.
        public var passedOver: UInt64 = 0
        /// The classifier was behind, or gone.
        public var lost: UInt64 = 0
        public var conversations: UInt64 = 0
        public var identified: UInt64 = 0
        public var guessed: UInt64 = 0
        public var unknown: UInt64 = 0
        /// Names that DNS gave to addresses.
        public var names: UInt64 = 0
        /// Findings about conversations that were never asked about, or more of them than are taken.
        public var refused: UInt64 = 0
        public var restarts: UInt64 = 0
        /// That the classifier has used.
        public var cpuSeconds = 0.0
        public init(state: String) { self.state = state }
    }

    public init(
        version: String, pid: Int32, kernel: String, startedAt: Timestamp, now: Timestamp, recordVersion: UInt32, tookOver: Bool,
        interfaces: Int, interfacesInDoubt: [String], flows: Int, flowLimit: Int, memory: Memory, collector: Collector,
        nanosecondsPerPacket: Double?, exports: [Export], policy: Policy? = nil, applications: Applications? = nil,
        warnings: [String]
    ) {
        self.version = version
        self.pid = pid
        self.kernel = kernel
        self.startedAt = startedAt.description
        uptimeSeconds = (now - startedAt).seconds
        self.recordVersion = recordVersion
        self.tookOver = tookOver
        self.interfaces = interfaces
        self.interfacesInDoubt = interfacesInDoubt
        self.flows = flows
        self.flowLimit = flowLimit
        self.memory = memory
        self.collector = collector
        self.nanosecondsPerPacket = nanosecondsPerPacket
        self.exports = exports
        self.policy = policy
        self.applications = applications
        self.warnings = warnings
    }
}
