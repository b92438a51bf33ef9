import Policy

/// What a change has brought while it was looked at: seconds with overload, with the change and had it not been.
struct ChangeTrial: Sendable {
    private(set) var seconds = 0.0
    private(set) var with = 0.0
    private(set) var without = 0.0

    /// One second: 0 to 1 each.
    mutating func add(with overload: Double, without other: Double) {
        seconds += 1
        with += overload
        without += other
    }

    /// Seconds that would have been better without it.
    var excess: Double { max(0, with - without) }

    /// Once there was a second.
    var effect: PlanningAction.Effect { .init(seconds: seconds, overloaded: with / seconds, overloadedWithout: without / seconds) }
}

/// Overload that changes of one thing have brought, and the seconds they were looked at, both fading with each further change.
struct ChangeHarm: Sendable {
    /// How much more overload than promised is too much: so many times what the quantile leaves uncovered, at least so many seconds.
    private static let toleratedShares = 3.0
    private static let toleratedSeconds = 2.0
    /// What did harm is not done again for so many times the lead or the hold time, whichever is longer.
    private static let memory = 6.0
    /// What is left with each further change.
    private static let fading = 0.9

    private var overload = 0.0
    private var looked = 0.0

    /// A change is not looked at any longer.
    mutating func take(_ trial: ChangeTrial) {
        overload = Self.fading * overload + trial.excess
        looked = Self.fading * looked + trial.seconds
    }

    /// Why a change is to be taken back: it, with those before it, has brought more overload than was promised; nil: it has not.
    /// - Parameter quantile: the share of futures that was to be covered.
    func verdict(on trial: ChangeTrial, quantile: Double) -> String? {
        let (excess, seconds) = (overload + trial.excess, looked + trial.seconds)
        let allowed = max(Self.toleratedSeconds, Self.toleratedShares * (1 - quantile) * seconds)
        guard trial.with > trial.without, excess > allowed else { return nil }
        let tenths = Int((excess * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s of overload in \(Int(seconds.rounded())) s that would not have been without it"
    }

    /// Seconds for which what did harm is not done again.
    static func pause(lead: Duration, hold: Duration) -> Double { memory * max(lead.seconds, hold.seconds) }
}
