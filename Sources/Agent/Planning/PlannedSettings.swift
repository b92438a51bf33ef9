/// What planning has put in force beside what the policy files say, by name, and how far that was found to do no harm. Nothing of it is
/// written into those files.
struct PlannedSettings<Value: Equatable>: Equatable {
    private(set) var applied: [String: Value] = [:]
    /// The last that was found to do no harm: what comes back when nobody confirms `applied` in time.
    private(set) var confirmed: [String: Value] = [:]
    private(set) var until: ContinuousClock.Instant?

    init() {}

    init(applied: [String: Value], confirmed: [String: Value], until: ContinuousClock.Instant?) {
        self.applied = applied
        self.confirmed = confirmed
        self.until = applied == confirmed ? nil : until
    }

    mutating func apply(_ values: [String: Value], confirmUntil instant: ContinuousClock.Instant) {
        applied = values
        until = applied == confirmed ? nil : until ?? instant
    }

    /// These are found to do no harm.
    /// - Parameter instant: for what was applied since.
    mutating func confirm(_ values: [String: Value], confirmUntil instant: ContinuousClock.Instant) {
        confirmed = values
        until = applied == confirmed ? nil : instant
    }

    /// Nobody has confirmed them in time.
    mutating func takeBack() { self = Self(applied: confirmed, confirmed: confirmed, until: nil) }

    /// Those of names that are not planned any more go.
    mutating func keep(only names: Set<String>) {
        applied = applied.filter { names.contains($0.key) }
        confirmed = confirmed.filter { names.contains($0.key) }
        if applied == confirmed { until = nil }
    }
}
