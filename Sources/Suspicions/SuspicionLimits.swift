/// From when on something is suspicious.
public struct SuspicionLimits: Sendable, Equatable {
    /// Distinct ports or addresses that a source has tried in vain (within ten minutes).
    public var scanTargets = 100
    /// Openings that are not completed, at one destination in a second.
    public var floodOpenings = 200
    /// Part of the traffic of an interface and direction, 0 to 1.
    public var heavyShare = 0.01

    public init() {}
}
