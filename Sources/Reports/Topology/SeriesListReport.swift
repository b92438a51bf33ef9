import NetworkTypes

/// Rates over time: `GET /v1/series`.
public struct SeriesListReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var from: String
    /// `from` and as many steps as there are values.
    public var to: String
    public var stepSeconds: Int
    /// `bits`, `packets`, or `level` of a gauge of the host.
    public var measure: String
    /// `bit/s` or `packet/s`; of the host `%`, `B`, `B/s` or `flows`.
    public var unit: String
    public var series: [SeriesReport]

    public struct SeriesReport: Codable, Hashable, Sendable {
        public var key: String
        /// `link`, `entity`, `network`, `application`, `host` or `total`.
        public var kind: String
        public var name: String
        /// The mean of each step; nil where nothing was measured. Of a link, towards `to`.
        public var values: [Double?]
        /// The other direction.
        public var reverse: [Double?]?
        /// bit/s, of a link.
        public var capacity: Double?

        public init(key: String, kind: String, name: String, values: [Double?], reverse: [Double?]? = nil, capacity: Double? = nil) {
            self.key = key
            self.kind = kind
            self.name = name
            self.values = values
            self.reverse = reverse
            self.capacity = capacity
        }
    }

    public init(from: Timestamp, to: Timestamp, stepSeconds: Int, measure: String, unit: String, series: [SeriesReport]) {
        self.from = from.description
        self.to = to.description
        self.stepSeconds = stepSeconds
        self.measure = measure
        self.unit = unit
        self.series = series
    }
}
