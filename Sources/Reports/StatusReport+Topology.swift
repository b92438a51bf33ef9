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

    /// What is watched for forecasts and anomalies.
    public struct Forecast: Codable, Hashable, Sendable {
        public var series: Int
        /// Series at most, and those for which there was no room lately.
        public var limit: Int
        public var refused: Int
        /// Series whose new forecast is still to be made.
        public var waiting: Int
        /// Of the series, bytes; models beside them.
        public var bytes: Int
        /// Whether anomalies are told of at all.
        public var tellsAnomalies: Bool
        /// Incidents that go on, and those that began, as far as they are remembered.
        public var openIncidents: Int
        public var incidents: Int
        /// Incidents that the webhook did not take.
        public var notPosted: Int
        /// So far behind what is measured forecasts and anomalies are; nil: they keep up.
        public var behindSeconds: Int?

        public init(
            series: Int, limit: Int, refused: Int, waiting: Int, bytes: Int, tellsAnomalies: Bool = true, openIncidents: Int,
            incidents: Int, notPosted: Int, behindSeconds: Int? = nil
        ) {
            self.series = series
            self.limit = limit
            self.refused = refused
            self.waiting = waiting
            self.bytes = bytes
            self.tellsAnomalies = tellsAnomalies
            self.openIncidents = openIncidents
            self.incidents = incidents
            self.notPosted = notPosted
            self.behindSeconds = behindSeconds
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
