import Logging
import NetworkTypes
import Policy

/// What planning allocates shaping rules, in force beside what the policy files say: nothing is written into those.
struct PlannedAllocations: Equatable {
    /// By rule.
    private(set) var applied: [String: BitRate] = [:]
    /// The last that was found to do no harm: what comes back when nobody confirms `applied` in time.
    private(set) var confirmed: [String: BitRate] = [:]
    private(set) var until: ContinuousClock.Instant?

    init() {}

    init(applied: [String: BitRate], confirmed: [String: BitRate], until: ContinuousClock.Instant?) {
        self.applied = applied
        self.confirmed = confirmed
        self.until = applied == confirmed ? nil : until
    }

    mutating func apply(_ rates: [String: BitRate], confirmUntil instant: ContinuousClock.Instant) {
        applied = rates
        until = applied == confirmed ? nil : until ?? instant
    }

    /// These are found to do no harm.
    /// - Parameter instant: for what was applied since.
    mutating func confirm(_ rates: [String: BitRate], confirmUntil instant: ContinuousClock.Instant) {
        confirmed = rates
        until = applied == confirmed ? nil : instant
    }

    /// Those of rules that are not planned any more go.
    mutating func keep(only names: Set<String>) {
        applied = applied.filter { names.contains($0.key) }
        confirmed = confirmed.filter { names.contains($0.key) }
        if applied == confirmed { until = nil }
    }

    func applied(to policy: Policy) -> Policy {
        guard !applied.isEmpty else { return policy }
        var policy = policy
        let planned = Set(policy.plans.map(\.rule))
        policy.shapers = policy.shapers.map { planned.contains($0.name) ? applied(to: $0) : $0 }
        return policy
    }

    func applied(to rule: ShapeRule) -> ShapeRule { applied[rule.name].map { rule.allocated($0) } ?? rule }
}

/// Changes of allocations.
extension PolicyKeeper {
    /// Puts other allocations in force; what they were stays when that fails.
    ///
    /// - Parameter seconds: they are taken back to the last confirmed ones unless confirmed within.
    func allocate(_ rates: [String: BitRate], confirmWithin seconds: Double) throws {
        let before = allocations
        allocations.apply(rates, confirmUntil: .now + .seconds(seconds))
        do { try carryOutAllocations() } catch {
            allocations = before
            throw error
        }
    }

    /// Nobody has found in time that the last allocations do no harm: planning stands still, or cannot measure.
    func takeAllocationsBack() {
        // Nor can it measure while a change of the policy waits to be confirmed: that one is looked at first.
        guard let until = allocations.until, ContinuousClock.now >= until, pending == nil else { return }
        allocations = PlannedAllocations(applied: allocations.confirmed, confirmed: allocations.confirmed, until: nil)
        log.warning("allocations not confirmed; taken back", ["rules": LogValue(allocations.applied.keys.sorted().joined(separator: " "))])
        do { try carryOutAllocations() } catch { log.error("allocations not taken back", ["reason": LogValue("\(error)")]) }
    }

    private func carryOutAllocations() throws {
        guard isInForce else { return }
        let plan = try plan(enforceable, mayReplace: false)
        try carryOut(plan, skipsClearing: true)
    }
}
