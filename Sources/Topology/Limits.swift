/// How far the topology may grow, whatever is sent through the host. Times are in epochs: commits, that is, of one second as a rule.
public struct TopologyLimits: Sendable, Hashable {
    /// Nodes in all. What the host itself has is never refused; endpoints of traffic are folded into prefixes beyond it.
    public var nodes = 100_000
    /// Links of communication. Beyond it what talks is counted between whole networks.
    public var communications = 1_000_000
    /// Nodes in one network, from which on new endpoints of traffic are folded.
    public var endpointsPerNetwork = 16_384
    /// Flows whose direction, observation point and application are remembered.
    public var conversations = 262_144
    /// Halves of round trips through tunnels that are remembered until the other half comes.
    public var tunnelHalves = 16_384
    /// Names of endpoints that are remembered.
    public var names = 65_536
    /// Bytes of a namespace's security rules that are kept.
    public var securityText = 65_536
    /// Communication without traffic for so long goes; it stays in history.
    public var idleEpochs: UInt64 = 300
    /// A flow without traffic for so long is forgotten.
    public var conversationIdleEpochs: UInt64 = 60
    /// For so long a flow may wait for its answer before it counts as unanswered.
    public var answerEpochs: UInt64 = 3
    /// A folded endpoint gets a node of its own after so long, when there is room (three quarters of the bound) again.
    public var unfoldEpochs: UInt64 = 300

    public init() {}
}

/// What the bounds kept out of the topology, and what could not be placed. Since the start; only ever growing.
public struct FoldCounters: Sendable, Hashable {
    /// Times that an end of a flow was put under a prefix.
    public var foldedEnds: UInt64 = 0
    /// Flows that were never answered, so that their ends were given no nodes of their own.
    public var unansweredFlows: UInt64 = 0
    /// Flows counted between networks, for want of links.
    public var networkFlows: UInt64 = 0
    /// Flows forgotten for want of room.
    public var evictedFlows: UInt64 = 0
    /// Counts of interfaces that are not known (yet).
    public var unplacedDeltas: UInt64 = 0
    /// Of mirrored traffic, which is no communication.
    public var copiedDeltas: UInt64 = 0
    /// Counts of frames that are not IP.
    public var otherDeltas: UInt64 = 0
    /// Verdicts on flows that are not known.
    public var lostVerdicts: UInt64 = 0

    public init() {}
}
