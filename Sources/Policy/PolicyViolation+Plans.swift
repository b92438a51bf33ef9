import NetworkTypes

extension PlanDeclaration {
    public static let quantileBounds = 0.5...0.95
    public static let leadBounds = Duration.seconds(1)...Duration.seconds(86_400)

    func violations(_ subject: PolicyViolation.Subject) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        func report(_ key: String, _ reason: String, hint: String? = nil) { violations.append(.init(subject, key, reason, hint: hint)) }
        if !Self.quantileBounds.contains(quantile) {
            report("quantile", "must be 50 % to 95 %", hint: "forecasts tell no more than that; headroom adds to it")
        }
        if !Self.leadBounds.contains(lead) { report("lead", "must be 1s to 24h") }
        if !(0...3).contains(headroom) { report("headroom", "must be 0 % to 300 %") }
        if let floor, !ShapeRule.rateBounds.contains(floor) { report("floor", ShapeRule.rateReason) }
        if let ceiling, !ShapeRule.rateBounds.contains(ceiling) { report("ceiling", ShapeRule.rateReason) }
        if let floor, let ceiling, floor > ceiling { report("floor", "is more than the ceiling") }
        if !(0...100).contains(criticality) { report("criticality", "must be 0 (gives way first) to 100") }
        if !(1...1000).contains(weight) { report("weight", "must be 1 to 1000") }
        if !(0.01...10).contains(change) { report("change", "must be 1 % to 1000 %") }
        if !(Duration.zero...Self.leadBounds.upperBound).contains(hold) { report("hold", "must be 0s to 24h") }
        return violations
    }
}

extension Policy {
    func planViolations() -> [PolicyViolation] {
        let rules = Dictionary(shapers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        var violations: [PolicyViolation] = []
        var owners: [String: Int] = [:]
        for (index, plan) in plans.enumerated() {
            let subject = PolicyViolation.Subject.plan(index)
            violations += plan.violations(subject)
            if let owner = owners[plan.rule] {
                violations.append(.init(subject, "class", "the class is planned twice", other: .plan(owner)))
            }
            owners[plan.rule] = owners[plan.rule] ?? index
            guard let at = rules[plan.rule] else {
                let nearest = Suggestion.nearest(to: plan.rule, among: rules.keys.sorted())
                violations.append(
                    .init(subject, "class", "there is no shaping rule of this name", hint: nearest.map { "did you mean \"\($0)\"?" }))
                continue
            }
            let rule = shapers[at]
            if rule.aggregation != .aggregate {
                violations.append(
                    .init(subject, "class", "gives each host, flow or prefix its own rate, and has none to plan", other: .rule(.shaper, at))
                )
            } else if rule.rate == nil && rule.ceiling == nil {
                violations.append(.init(subject, "class", "has neither rate nor ceiling to begin with", other: .rule(.shaper, at)))
            }
            if let part = shapers.first(where: { $0.parent == rule.name && $0.rate != nil }) {
                violations.append(.init(subject, "class", "\(part.name) has a share of it", hint: "plan the parts instead"))
            }
            if let floor = plan.floor, rule.movesRateAlone, let most = rule.ceiling, floor > most {
                violations.append(.init(subject, "floor", "is more than the ceiling of the rule, \(most)", other: .rule(.shaper, at)))
            }
        }
        return violations
    }
}

extension ShapeRule {
    /// What is planned is its guarantee; the ceiling, which is higher, stays. Else both are one number, the allocation.
    public var movesRateAlone: Bool {
        guard let rate, let ceiling else { return false }
        return rate < ceiling
    }

    /// What the class is allocated as it is written: its guarantee, or the ceiling where it has no other.
    public var allocation: BitRate? { rate ?? ceiling }

    /// The same rule with another allocation.
    public func allocated(_ allocation: BitRate) -> ShapeRule {
        var rule = self
        if movesRateAlone {
            rule.rate = min(allocation, ceiling ?? allocation)
        } else {
            if rate != nil { rule.rate = allocation }
            if ceiling != nil { rule.ceiling = allocation }
        }
        return rule
    }
}
