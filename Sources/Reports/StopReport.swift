/// What an agent that was told to end leaves behind.
public struct StopReport: Codable, Hashable, Sendable {
    public var stopped = true
    /// The kernel goes on counting, and the rules below stay in force.
    public var kept: Bool
    public var interfaces = 0
    public var mirrors = 0
    public var samplers = 0
    public var shapers = 0
    /// What stays though it was not asked for, each a sentence.
    public var left: [String] = []

    public init(kept: Bool) { self.kept = kept }
}
