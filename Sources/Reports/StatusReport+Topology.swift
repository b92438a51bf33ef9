extension StatusReport {
    /// What the topology has, and what its bounds kept out.
    public struct Topology: Codable, Hashable, Sendable {
        public var epoch: UInt64
        public var nodes: Int
        public var links: Int
        /// Times that an end of a flow was put under a prefix.
        public var foldedEnds: UInt64
        /// Flows that were forgotten for want of room.
        public var forgottenFlows: UInt64

        public init(epoch: UInt64, nodes: Int, links: Int, foldedEnds: UInt64, forgottenFlows: UInt64) {
            self.epoch = epoch
            self.nodes = nodes
            self.links = links
            self.foldedEnds = foldedEnds
            self.forgottenFlows = forgottenFlows
        }
    }

    /// How the past is kept.
    public struct History: Codable, Hashable, Sendable {
        public var file: String
        /// Epochs that this agent has kept.
        public var epochs: UInt64
        /// Of the file and its log, bytes.
        public var bytes: UInt64
        public var limitBytes: UInt64
        /// Seconds whose rates are in no series: the disk was full, or too slow.
        public var lostSeconds: UInt64
        /// Since when nothing is kept, RFC 3339, and why; nil while all is well.
        public var pausedAt: String?
        public var problem: String?

        public init(
            file: String, epochs: UInt64, bytes: UInt64, limitBytes: UInt64, lostSeconds: UInt64, pausedAt: String?, problem: String?
        ) {
            self.file = file
            self.epochs = epochs
            self.bytes = bytes
            self.limitBytes = limitBytes
            self.lostSeconds = lostSeconds
            self.pausedAt = pausedAt
            self.problem = problem
        }
    }
}
