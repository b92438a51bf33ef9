/// What went wrong, at one time and for one cause: `GET /v1/anomalies`.
public struct IncidentListReport: Codable, Hashable, Sendable {
    public struct Silence: Codable, Hashable, Sendable {
        public var pattern: String
        /// RFC 3339.
        public var until: String
        /// What is watched now and meant by it, the first names of it; nil: not told.
        public var names: [String]?

        public init(pattern: String, until: String, names: [String]? = nil) {
            self.pattern = pattern
            self.until = until
            self.names = names
        }
    }

    /// RFC 3339; incidents that were going on after it are told.
    public var since: String
    public var at: String
    /// The newest first.
    public var incidents: [IncidentReport]
    public var silences: [Silence]
    /// Anomalies that a silence kept from being told, ever.
    public var silenced: Int
    /// Of the last seven days, or since the first incident that is remembered: incidents a day, and those of them that people called
    /// false alarms.
    public var incidentsPerDay: Double
    public var falseAlarmsPerDay: Double
    /// What those are made of: so long a time and what was in it. Less than a day says little of one.
    public var recent: Recent?

    public struct Recent: Codable, Hashable, Sendable {
        public var seconds: Int
        public var incidents: Int
        public var falseAlarms: Int

        public init(seconds: Int, incidents: Int, falseAlarms: Int) {
            self.seconds = seconds
            self.incidents = incidents
            self.falseAlarms = falseAlarms
        }
    }

    public init(
        since: String, at: String, incidents: [IncidentReport], silences: [Silence], silenced: Int, incidentsPerDay: Double,
        falseAlarmsPerDay: Double, recent: Recent? = nil
    ) {
        self.since = since
        self.at = at
        self.incidents = incidents
        self.silences = silences
        self.silenced = silenced
        self.incidentsPerDay = incidentsPerDay
        self.falseAlarmsPerDay = falseAlarmsPerDay
        self.recent = recent
    }
}

public struct IncidentReport: Codable, Hashable, Sendable {
    public struct Member: Codable, Hashable, Sendable {
        public var key: String
        /// What the series is of, with its direction.
        public var name: String
        /// `level`, `spike`, `dip`, `flat-line`, `missing`, `changed-seasonality`, `pattern`, or what packets gave away: `port-scan`, …
        public var kind: String
        /// RFC 3339; the end is nil while it goes on.
        public var start: String
        public var end: String?
        /// 0.5 to 1.
        public var probability: Double
        /// Minus the decimal logarithm of its chance in ordinary traffic.
        public var unlikelihood: Double
        public var unit: String
        /// What was expected, between what and what, and the value furthest from that.
        public var expected: Double?
        public var expectedLow: Double?
        public var expectedHigh: Double?
        public var extreme: Double?
        public var evidence: String?

        public init(
            key: String, name: String, kind: String, start: String, end: String?, probability: Double, unlikelihood: Double, unit: String,
            expected: Double?, expectedLow: Double?, expectedHigh: Double?, extreme: Double?, evidence: String?
        ) {
            self.key = key
            self.name = name
            self.kind = kind
            self.start = start
            self.end = end
            self.probability = probability
            self.unlikelihood = unlikelihood
            self.unit = unit
            self.expected = expected
            self.expectedLow = expectedLow
            self.expectedHigh = expectedHigh
            self.extreme = extreme
            self.evidence = evidence
        }
    }

    /// What of the traffic changed most.
    public struct Contributor: Codable, Hashable, Sendable {
        /// `conversation`, `host` or `application`.
        public var kind: String
        public var key: String
        public var name: String
        /// bit/s both ways, before and during; and the part of the whole change, 0 to 1.
        public var before: Double
        public var during: Double
        public var share: Double

        public init(kind: String, key: String, name: String, before: Double, during: Double, share: Double) {
            self.kind = kind
            self.key = key
            self.name = name
            self.before = before
            self.during = during
            self.share = share
        }
    }

    public var id: Int
    /// RFC 3339; the end is nil while it goes on.
    public var start: String
    public var end: String?
    public var probability: Double
    public var unlikelihood: Double
    /// The most unlikely first, 64 at most.
    public var members: [Member]
    /// Members that are not named.
    public var more: Int
    public var contributors: [Contributor]
    /// `seen` or `false-alarm`; nil before anybody judged.
    public var verdict: String?

    public init(
        id: Int, start: String, end: String?, probability: Double, unlikelihood: Double, members: [Member], more: Int = 0,
        contributors: [Contributor], verdict: String?
    ) {
        self.id = id
        self.start = start
        self.end = end
        self.probability = probability
        self.unlikelihood = unlikelihood
        self.members = members
        self.more = more
        self.contributors = contributors
        self.verdict = verdict
    }
}

/// A line of `GET /v1/anomalies/events`, and what a webhook gets.
public struct IncidentEventReport: Codable, Hashable, Sendable {
    /// `began`, `changed` or `ended`.
    public var event: String
    public var incident: IncidentReport

    public init(event: String, incident: IncidentReport) {
        self.event = event
        self.incident = incident
    }
}
