/// What a policy would change, or has changed, on this host.
public struct PlanReport: Codable, Hashable, Sendable {
    /// One change, in the order in which they are made.
    public struct Step: Codable, Hashable, Sendable {
        public enum Sign: String, Codable, Hashable, Sendable { case add, change, remove }
        public var sign: Sign
        /// The rule it is for; nil: what rules share.
        public var rule: String?
        /// `mirror session 3 on eth0: tcp port 443 to span0`.
        public var what: String
        /// What a person would type for it; nil where no tool has words for it.
        public var command: String?
        /// Why something changes that the rule's own keys do not tell; nil: there is no more to say.
        public var reason: String?
        /// Of a rule that is written anew: its keys that are not what they were.
        public var changes: [Change]
        public init(
            _ sign: Sign, rule: String? = nil, _ what: String, command: String? = nil, reason: String? = nil, changes: [Change] = []
        ) {
            self.sign = sign
            self.rule = rule
            self.what = what
            self.command = command
            self.reason = reason
            self.changes = changes
        }
    }

    /// A key of a rule with another value than before, both as a policy file has them.
    public struct Change: Codable, Hashable, Sendable {
        public var key: String
        public var before: String
        public var after: String
        public init(_ key: String, before: String, after: String) {
            self.key = key
            self.before = before
            self.after = after
        }
    }

    /// A rule that finds none of its interfaces, or not one of those that it names.
    public struct Waiting: Codable, Hashable, Sendable {
        public var rule: String
        /// `mirror`, `sample` or `shape`; nil: not known.
        public var kind: String?
        /// Without its name: `eth1 is not there`, `eth1 is there, but not counted: agent.yaml leaves it out`.
        public var reason: String
        /// It is in force on others of its interfaces.
        public var inPart: Bool
        public init(rule: String, reason: String, inPart: Bool = false) {
            self.rule = rule
            self.reason = reason
            self.inPart = inPart
        }
    }

    /// A rule, or a part of one, that cannot be carried out here.
    public struct Refusal: Codable, Hashable, Sendable, Error {
        public var rule: String
        public var reason: String
        public var hint: String?
        public init(rule: String, reason: String, hint: String? = nil) {
            self.rule = rule
            self.reason = reason
            self.hint = hint
        }
    }

    public var steps: [Step]
    public var refusals: [Refusal]
    /// Rules that wait for interfaces.
    public var waiting: [Waiting]
    /// What the changes cost or bring with them.
    public var remarks: [String]
    /// false: a plan alone.
    public var applied: Bool
    /// Without `nilo confirm` within this time the earlier policy comes back, seconds.
    public var confirmWithinSeconds: Double?
    /// Files of the policy folder that are written, by their names; unconfirmed ones once they are confirmed.
    public var filesWritten: [String] = []
    public var filesRemoved: [String] = []
    /// Classes and routes of which a file plans otherwise than before: `class web`, `route wan`. Planning follows that by itself.
    public var planned: [String] = []

    public init(
        steps: [Step], refusals: [Refusal] = [], waiting: [Waiting] = [], remarks: [String] = [], applied: Bool,
        confirmWithinSeconds: Double? = nil
    ) {
        self.steps = steps
        self.refusals = refusals
        self.waiting = waiting
        self.remarks = remarks
        self.applied = applied
        self.confirmWithinSeconds = confirmWithinSeconds
    }
}

/// What is asked for: files that are to stand in the policy folder, and files that are not.
public struct PolicyChange: Codable, Hashable, Sendable {
    /// File name to its text.
    public var put: [String: String]
    public var remove: [String]
    /// The rule of this name is what the one file of `put` adds, or changes; no other rule may be lost by it.
    public var addRule: String?
    /// The rule of this name is to go; its file may hold no other rule.
    public var removeRule: String?
    /// What kind of rule it has to be: `mirror`, `sample` or `shape`; nil: any.
    public var removeKind: String?
    /// Take the place of root qdiscs that others made.
    public var replace: Bool
    /// Seconds until the earlier policy comes back unless this one is confirmed; nil: it stays.
    public var confirmWithinSeconds: Double?
    /// Say what would be done, and do nothing.
    public var dryRun: Bool

    public init(
        put: [String: String] = [:], remove: [String] = [], addRule: String? = nil, removeRule: String? = nil, removeKind: String? = nil,
        replace: Bool = false, confirmWithinSeconds: Double? = nil, dryRun: Bool = false
    ) {
        self.put = put
        self.remove = remove
        self.addRule = addRule
        self.removeRule = removeRule
        self.removeKind = removeKind
        self.replace = replace
        self.confirmWithinSeconds = confirmWithinSeconds
        self.dryRun = dryRun
    }
}
