import Flows
import NetworkTypes
import Policy

/// What is declared, as planning needs it: the classes whose rates follow their demand, and what they share.
public struct PlanningIntent: Hashable, Sendable {
    /// A shaping rule whose allocation is planned.
    public struct Class: Hashable, Sendable {
        public var plan: PlanDeclaration
        /// What the policy files allocate it.
        public var declared: BitRate
        /// The most that it may have, whatever others do.
        public var most: BitRate
        /// Places in `pools`; none: nothing is known that it is a share of.
        public var pools: [Int]

        public var name: String { plan.rule }
        /// The least that it is left, whatever others need: no less than a rule can have.
        public var least: BitRate { max(ShapeRule.rateBounds.lowerBound, min(plan.floor ?? ShapeRule.rateBounds.lowerBound, most)) }

        public init(plan: PlanDeclaration, declared: BitRate, most: BitRate, pools: [Int] = []) {
            self.plan = plan
            self.declared = declared
            self.most = max(ShapeRule.rateBounds.lowerBound, most)
            self.pools = pools
        }
    }

    /// A capacity that classes share: of a link in one direction, or of the rule that they are parts of.
    public struct Pool: Hashable, Sendable {
        /// The interface or the parent's name.
        public var name: String
        /// What is there for the classes that are planned.
        public var capacity: BitRate

        public init(name: String, capacity: BitRate) {
            self.name = name
            self.capacity = capacity
        }
    }

    public var classes: [Class]
    public var pools: [Pool]

    public init(classes: [Class], pools: [Pool]) {
        self.classes = classes
        self.pools = pools
    }

    /// What a policy without mistakes declares. Classes stand in the order of the files.
    public init(_ policy: Policy) {
        let rules = Dictionary(policy.shapers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let planned = Set(policy.plans.map(\.rule))
        var places: [String: Int] = [:]
        (classes, pools) = ([], [])
        for plan in policy.plans {
            guard let rule = rules[plan.rule], let declared = rule.allocation else { continue }
            let shares = Self.shares(of: rule, in: policy, rules)
            var own: [Int] = []
            for share in shares {
                if let place = places[share.key] {
                    own.append(place)
                    continue
                }
                // What siblings are granted that are not planned is theirs.
                let siblings = policy.shapers.filter { other in
                    !planned.contains(other.name) && Self.shares(of: other, in: policy, rules).contains { $0.key == share.key }
                }
                let taken = siblings.reduce(0) { $0 + ($1.rate?.bitsPerSecond ?? 0) }
                places[share.key] = pools.count
                own.append(pools.count)
                pools.append(.init(name: share.name, capacity: BitRate(bitsPerSecond: max(0, share.capacity.bitsPerSecond - taken))))
            }
            let bounds = [plan.ceiling, rule.movesRateAlone ? rule.ceiling : nil].compactMap { $0 } + shares.map(\.capacity)
            classes.append(Class(plan: plan, declared: declared, most: bounds.min() ?? ShapeRule.rateBounds.upperBound, pools: own))
        }
    }

    /// What a rule is a share of: its parent, or in each of its directions the links whose capacity is declared.
    private static func shares(
        of rule: ShapeRule, in policy: Policy, _ rules: [String: ShapeRule]
    ) -> [(key: String, name: String, capacity: BitRate)] {
        if let name = rule.parent {
            return rules[name].flatMap { $0.ceiling ?? $0.rate }.map { [("parent \(name)", name, $0)] } ?? []
        }
        let names = rule.scope.interfaces
        // A pattern may mean any of them.
        let meansAny = names.isEmpty || names.contains { $0.contains("*") || $0.contains("?") }
        return policy.links.filter { meansAny || names.contains($0.interface) }.flatMap { link in
            guard let capacity = link.capacity else { return [(key: String, name: String, capacity: BitRate)]() }
            return (rule.scope.direction.map { [$0] } ?? Direction.allCases).map { ("\($0) \(link.interface)", link.interface, capacity) }
        }
    }
}
