/// What a series is expected to do: `nilo forecast --json`.
public struct ForecastReport: Codable, Hashable, Sendable {
    /// RFC 3339: the beginning of the first step.
    public var from: String
    public var stepSeconds: Int
    /// The series' key and name.
    public var key: String
    public var name: String
    /// `bit/s` or `packet/s`.
    public var unit: String
    /// Probabilities of the quantiles.
    public var levels: [Double]
    public var directions: [Direction]

    public struct Direction: Codable, Hashable, Sendable {
        /// `received` and `sent` of an interface, `to` and `from` of a link; else `to-servers` and `from-servers`.
        public var direction: String
        /// Of the past: steps that were looked at, and those of them that were measured.
        public var steps: Int
        public var measured: Int
        /// The mean of the latest step that was measured.
        public var latest: Double?
        /// By step, then by level; nil where there is none.
        public var quantiles: [[Double]]?
        /// Why there is none.
        public var abstention: String?
        /// Error lately, beside that of repeating what was a day (or a step) before.
        public var errorAgainstNaive: Double?
        /// Of the daily pattern; 0: none was found, or the history is too short.
        public var samplesPerDay: Int?
    }
}
