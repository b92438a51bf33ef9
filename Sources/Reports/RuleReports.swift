/// A mirror session: what was asked for and what it does.
///
///     matched = outranked + unselected + capped + (failed - failedOnTheWay) + sent + queued        (skbs)
///     queuedPackets = arrived + failedOnTheWay + missing                                           (packets of the wire)
///     mirroredPackets = sent + arrived, of which `notWritten` were lost behind the datapath
public struct MirrorReport: Codable, Hashable, Sendable {
    public var name: String
    /// Where it stands; several when the rule's interfaces lie in several namespaces.
    public var namespace: String?
    public var interfaces: [String]
    /// nil: both.
    public var direction: String?
    public var filter: String
    /// `interface span0`, `vxlan 192.0.2.9 vni 16711681`.
    public var target: String
    /// `all`, `1 packet in 10`, `1 flow in 10`.
    public var selection: String
    /// N of 1 in N; nil: not so selected.
    public var selectedOnePacketIn: UInt32?
    public var selectedOneFlowIn: UInt32?
    /// Bytes.
    public var snapLength: Int?
    /// `100 Mb/s`, rounded; nil: none. One of the two below has the number.
    public var limit: String?
    public var limitBitsPerSecond: Double?
    public var limitPacketsPerSecond: Double?
    public var priority: Int
    public var segmentation: String
    /// Of the path to a remote target, bytes.
    public var pathMTU: Int?
    /// What keeps it from working; nil: all is well.
    public var problem: String?
    public var since: String?
    /// skbs that the filter matched.
    public var matched: UInt64 = 0
    /// The same in packets of the wire, and their bytes.
    public var matchedPackets: UInt64 = 0
    public var matchedBytes: UInt64 = 0
    /// Of the matched ones, left to another session of the same destination.
    public var outranked: UInt64 = 0
    /// Of the matched ones, left out by 1 in N.
    public var unselected: UInt64 = 0
    /// Chosen by the selection: matched, neither outranked nor unselected.
    public var selected: UInt64 = 0
    /// Handed to the target.
    public var mirroredPackets: UInt64 = 0
    public var mirroredBytes: UInt64 = 0
    /// Of the mirrored ones, in one step.
    public var sent: UInt64 = 0
    /// Put into the mirror port: skbs, and the packets of the wire that they are.
    public var queued: UInt64 = 0
    public var queuedPackets: UInt64 = 0
    /// Of the mirrored ones, out of the mirror port.
    public var arrived: UInt64 = 0
    /// Of those queued, neither arrived nor failed: in the port's queue, or lost there. A snapshot may catch a CPU in between: then below 0.
    public var missing: Int64 = 0
    /// Of the mirrored ones, cut to the snap length or the path's MTU.
    public var truncated: UInt64 = 0
    /// Super-packets that were cut into the packets of the wire.
    public var segmented: UInt64 = 0
    /// Held back by the limit.
    public var capped: UInt64 = 0
    /// Not handed to the target, by reason: none of them is among the mirrored ones. skbs, and packets of those that had been queued.
    public var failed: [String: UInt64] = [:]
    /// The part of `failed` that had been queued.
    public var failedOnTheWay: UInt64 = 0
    /// Of the mirrored ones, what neither the disk nor the client took (capture files and captures). Of a rule with several sessions, all of
    /// them are told at the first.
    public var notWritten: UInt64 = 0
    /// Over the last second.
    public var packetsPerSecond: Double?
    public var bitsPerSecond: Double?

    public init(
        name: String, namespace: String?, interfaces: [String], direction: String?, filter: String, target: String, selection: String,
        snapLength: Int?, limit: String?, priority: Int, segmentation: String
    ) {
        self.name = name
        self.namespace = namespace
        self.interfaces = interfaces
        self.direction = direction
        self.filter = filter
        self.target = target
        self.selection = selection
        self.snapLength = snapLength
        self.limit = limit
        self.priority = priority
        self.segmentation = segmentation
    }

    /// What arrived where it was to go, as far as is known: the mirrored ones that were written.
    public var copied: UInt64 { mirroredPackets - min(mirroredPackets, notWritten) }
    /// Everything that did not: none of it is among `copied`.
    public var failedTotal: UInt64 { failed.values.reduce(0, +) + min(mirroredPackets, notWritten) }
    /// By their own rule not for the target.
    public var skipped: UInt64 { outranked + unselected }
}

/// A sampling rule: what was asked for and what it does.
public struct SampleReport: Codable, Hashable, Sendable {
    public var name: String
    public var namespace: String?
    public var interfaces: [String]
    public var direction: String?
    public var filter: String
    /// `1 in 1000`, `500 samples/s`, `1 % of a CPU`, rounded. At most one of the three below has the number.
    public var asked: String
    public var askedOneIn: UInt32?
    public var askedSamplesPerSecond: Double?
    /// Of one CPU, 0...100.
    public var askedCPUPercent: Double?
    /// One packet in this many, now; 0: none at random.
    public var oneIn: UInt32
    public var firstPackets: UInt32
    public var always: [String]
    public var snapLength: Int
    public var problem: String?
    public var since: String?
    /// Samples handed over, by why they were taken: random, first, flag.
    public var samples: [String: UInt64]
    /// Wire packets that random samples stand for themselves; times the rate they are an estimate of all.
    public var hits: UInt64
    /// Wire packets that passed by the rule.
    public var pool: UInt64
    /// Samples that were chosen and not handed over: the ring was full, or the packet's bytes could not be copied.
    public var lost: UInt64
    public var ringFull: UInt64 = 0
    public var unreadable: UInt64 = 0
    /// Hits that went with them.
    public var lostHits: UInt64 = 0
    public var samplesPerSecond: Double?

    public init(
        name: String, namespace: String?, interfaces: [String], direction: String?, filter: String, asked: String, firstPackets: UInt32,
        always: [String], snapLength: Int
    ) {
        self.name = name
        self.namespace = namespace
        self.interfaces = interfaces
        self.direction = direction
        self.filter = filter
        self.asked = asked
        self.firstPackets = firstPackets
        self.always = always
        self.snapLength = snapLength
        oneIn = 0
        samples = [:]
        (hits, pool, lost) = (0, 0, 0)
    }
}

/// A shaping rule: what was asked for and what it does.
public struct ShapeReport: Codable, Hashable, Sendable {
    public var name: String
    public var namespace: String?
    public var interfaces: [String]
    public var direction: String?
    public var filter: String
    public var parent: String?
    /// `htb`, `police`, `edt`; `none`: DSCP and counters alone.
    public var mechanism: String
    /// The class that has the rule's rate, `4e49:10`; nil where there is none.
    public var classID: String?
    /// Where its packets queue, when not in `classID` itself: `4e49:40-4e49:7f`.
    public var leafClassIDs: String?
    public var rateBitsPerSecond: Double?
    public var ceilingBitsPerSecond: Double?
    public var burstBytes: UInt64?
    /// Charged for each packet beyond its frame.
    public var overheadBytes = 0
    public var priority: Int
    /// `aggregate`, `host destination`, `flow`, `12 prefixes`.
    public var per: String
    public var dscp: String?
    public var problem: String?
    public var since: String?
    /// Wire packets and their bytes, as the rate counts them, that the rule let through: to the wire, or with a class into its queue.
    public var packets: UInt64
    public var bytes: UInt64
    /// Wire packets and bytes that the rule dropped itself (a policer).
    public var droppedPackets: UInt64
    public var droppedBytes: UInt64
    /// What the rule's classes have sent since they were made: `tc -s class show`. nil where it has none, and where nobody asked.
    public var sentPackets: UInt64?
    public var sentBytes: UInt64?
    /// skbs that did not fit into the queues of its classes, since these were made.
    public var queueDrops: UInt64?
    /// Marked Congestion Experienced.
    public var marked: UInt64
    /// What did not go as the rule says, by reason: `notWritten`, `noRoom`, `contended`, `noDeparture`, `outside` (docs/shaping.md).
    public var exceptions: [String: UInt64] = [:]
    /// Waiting in the rule's classes; nil where it has none, and where nobody asked.
    public var backlogBytes: UInt64?
    /// Over the last second: of a rule with classes what they sent, of others what they let through.
    public var bitsPerSecond: Double?

    public init(
        name: String, namespace: String?, interfaces: [String], direction: String?, filter: String, parent: String?, mechanism: String,
        priority: Int, per: String
    ) {
        self.name = name
        self.namespace = namespace
        self.interfaces = interfaces
        self.direction = direction
        self.filter = filter
        self.parent = parent
        self.mechanism = mechanism
        self.priority = priority
        self.per = per
        (packets, bytes, droppedPackets, droppedBytes, marked) = (0, 0, 0, 0, 0)
    }
}

/// All rules in force, and those that are not.
public struct PolicyReport: Codable, Hashable, Sendable {
    public var at: String
    public var intervalSeconds: Double
    /// The folder and its files.
    public var folder: String
    public var files: [String]
    /// Of the filter program; it grows with every change.
    public var generation: UInt32
    public var mirrors: [MirrorReport]
    public var samplers: [SampleReport]
    public var shapers: [ShapeReport]
    public var refusals: [PlanReport.Refusal]
    public var waiting: [PlanReport.Waiting]
    /// How often something of ours that others had changed was put right.
    public var repaired: Int
    /// How often a root qdisc of others took the place of ours, and rules had to do without their classes.
    public var displaced = 0
    /// Why the folder's files are not what is in force; nil: they are.
    public var problem: String?
    /// Until an unconfirmed change is taken back, seconds; nil: none is pending.
    public var confirmWithinSeconds: Double?

    public init(
        at: String, intervalSeconds: Double, folder: String, files: [String], generation: UInt32, mirrors: [MirrorReport],
        samplers: [SampleReport], shapers: [ShapeReport], refusals: [PlanReport.Refusal],
        waiting: [PlanReport.Waiting], repaired: Int,
        problem: String?, confirmWithinSeconds: Double?
    ) {
        self.at = at
        self.intervalSeconds = intervalSeconds
        self.folder = folder
        self.files = files
        self.generation = generation
        self.mirrors = mirrors
        self.samplers = samplers
        self.shapers = shapers
        self.refusals = refusals
        self.waiting = waiting
        self.repaired = repaired
        self.problem = problem
        self.confirmWithinSeconds = confirmWithinSeconds
    }
}
