/// What people said of an incident: the answer of `POST /v1/anomalies/judge`.
public struct VerdictReport: Codable, Hashable, Sendable {
    public var id: Int
    /// `seen` or `false-alarm`.
    public var verdict: String
    /// What was said of it before; nil: nothing.
    public var earlier: String?

    public init(id: Int, verdict: String, earlier: String?) {
        self.id = id
        self.verdict = verdict
        self.earlier = earlier
    }
}

/// What is silent now, or no more: the answer of `POST /v1/anomalies/silence`.
public struct SilenceReport: Codable, Hashable, Sendable {
    /// Keys, with `*` for anything: what was asked for, or what it is the name of.
    public var patterns: [String]
    /// RFC 3339; nil: it has ended.
    public var until: String?
    /// Names of what is watched now and meant by them: the first of so many.
    public var names: [String]
    public var matches: Int

    public init(patterns: [String], until: String?, names: [String], matches: Int) {
        self.patterns = patterns
        self.until = until
        self.names = names
        self.matches = matches
    }
}
