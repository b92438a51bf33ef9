import Logging
import NetworkTypes
import Policy

/// What planning allocates shaping rules.
typealias PlannedAllocations = PlannedSettings<BitRate>

extension PlannedAllocations {
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
        allocations.takeBack()
        log.warning("allocations not confirmed; taken back", ["rules": LogValue(allocations.applied.keys.sorted().joined(separator: " "))])
        do { try carryOutAllocations() } catch { log.error("allocations not taken back", ["reason": LogValue("\(error)")]) }
    }

    private func isNewlyRefused(_ rule: String) -> Bool {
        allocations.applied[rule] != nil && !refusals.contains { $0.rule == rule }
    }

    private func carryOutAllocations() throws {
        guard isInForce else { return }
        let plan = try plan(enforceable, mayReplace: false)
        // A rule that cannot have what it is allocated would be gone.
        if let refusal = plan.refusals.first(where: { isNewlyRefused($0.rule) }) { throw refusal }
        try carryOut(plan, skipsClearing: true)
    }
}
