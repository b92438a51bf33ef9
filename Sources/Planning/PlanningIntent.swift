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
        /// Index into `pools`; nil: nothing is known that it is a share of.
        public var pool: Int?

        public var name: String { plan.rule }
        /// The least that it is left.
        public var least: BitRate { min(plan.floor ?? BitRate(bitsPerSecond: 1000), most) }

        public init(plan: PlanDeclaration, declared: BitRate, most: BitRate, pool: Int? = nil) {
            self.plan = plan
            self.declared = declared
            self.most = most
            self.pool = pool
        }
    }

    /// A capacity that classes share: of a link, or of the rule that they are parts of.
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
            var pool: Int?
            if let share = Self.share(of: rule, in: policy, rules) {
                pool = places[share.key]
                if pool == nil {
                    // What siblings are granted that are not planned is theirs.
                    let siblings = policy.shapers.filter {
                        !planned.contains($0.name) && Self.share(of: $0, in: policy, rules)?.key == share.key
                    }
                    let taken = siblings.reduce(0) { $0 + ($1.rate?.bitsPerSecond ?? 0) }
                    pool = pools.count
                    pools.append(.init(name: share.name, capacity: BitRate(bitsPerSecond: max(0, share.capacity.bitsPerSecond - taken))))
                    places[share.key] = pool
                }
            }
            let bounds = [plan.ceiling, rule.movesRateAlone ? rule.ceiling : nil, pool.map { pools[$0].capacity }].compactMap { $0 }
            classes.append(Class(plan: plan, declared: declared, most: bounds.min() ?? BitRate(bitsPerSecond: 1e12), pool: pool))
        }
    }

    /// What a rule is a share of: its parent, or the link whose capacity is declared (of several the smallest).
    private static func share(
        of rule: ShapeRule, in policy: Policy, _ rules: [String: ShapeRule]
    ) -> (key: String, name: String, capacity: BitRate)? {
        if let name = rule.parent {
            return rules[name].flatMap { $0.ceiling ?? $0.rate }.map { ("parent \(name)", name, $0) }
        }
        let links = policy.links.filter { rule.scope.interfaces.contains($0.interface) }
        guard let least = links.compactMap({ link in link.capacity.map { (link.interface, $0) } }).min(by: { $0.1 < $1.1 }) else {
            return nil
        }
        let direction = rule.scope.direction.map { "\($0)" } ?? "both"
        return ("\(direction) \(rule.scope.interfaces.sorted().joined(separator: " "))", least.0, least.1)
    }
}
