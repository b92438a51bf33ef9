import Policy

extension PolicyFile {
    /// A key of a rule with another value than before, both as a policy file has them. A key that is not written has its default in words.
    public struct KeyChange: Hashable, Sendable {
        public var key: String
        public var before: String
        public var after: String
        public init(_ key: String, before: String, after: String) {
            self.key = key
            self.before = before
            self.after = after
        }
    }

    /// What is not the same in rules of one kind and name, by their names; nothing of rules that only one of the policies has.
    public static func changes(from old: Policy, to new: Policy) -> [String: [KeyChange]] {
        var changes: [String: [KeyChange]] = [:]
        func compare<Rule: WrittenRule>(_ before: [Rule], _ after: [Rule], _ kind: RuleKind) {
            let known = Dictionary(before.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            for rule in after {
                guard let earlier = known[rule.name], earlier != rule else { continue }
                changes[rule.name] = difference(earlier, rule, kind)
            }
        }
        compare(old.mirrors, new.mirrors, .mirror)
        compare(old.samplers, new.samplers, .sampler)
        compare(old.shapers, new.shapers, .shaper)
        return changes
    }

    private static func difference<Rule: WrittenRule>(_ old: Rule, _ new: Rule, _ kind: RuleKind) -> [KeyChange] {
        let (before, after) = (old.written, new.written)
        let keys = before.map(\.key) + after.map(\.key).filter { key in !before.contains { $0.key == key } }
        return keys.compactMap { key in
            let was = before.first { $0.key == key }?.value
            let becomes = after.first { $0.key == key }?.value
            guard was != becomes else { return nil }
            if key == "prefixes", let lists = prefixCounts(old, new) { return KeyChange(key, before: lists.before, after: lists.after) }
            return KeyChange(key, before: was ?? usual(key, kind), after: becomes ?? usual(key, kind))
        }
    }

    /// Thousands of prefixes are told by their number.
    private static func prefixCounts<Rule>(_ old: Rule, _ new: Rule) -> (before: String, after: String)? {
        func list(_ rule: Rule) -> Set<ShapeRule.PrefixRate> {
            guard case .prefixes(_, let list)? = (rule as? ShapeRule)?.aggregation else { return [] }
            return Set(list)
        }
        let (before, after) = (list(old), list(new))
        func number(_ count: Int) -> String { count == 0 ? "none" : "\(count) prefix\(count == 1 ? "" : "es")" }
        return (number(before.count), number(after.count) + ", \(after.subtracting(before).count) of them new or with another rate")
    }

    /// What a key that is not written means (`docs/policy.md`).
    private static func usual(_ key: String, _ kind: RuleKind) -> String {
        switch (key, kind) {
        case ("on", _): "every interface that is counted"
        case ("direction", _): "both"
        case ("match", _): "everything"
        case ("one-in", .mirror): "all"
        case ("snap", .mirror): "all that fits"
        case ("limit", _): "the agent's cap"
        case ("priority", .mirror): "0"
        case ("priority", _): "3"
        case ("segments", _): "super"
        case ("snap", _): "128"
        case ("first", _), ("overhead", _): "0"
        case ("per", _): "aggregate"
        case ("mechanism", _): "auto"
        case ("ecn", _): "true"
        case ("burst", _): "what 10 ms bring"
        case ("ceiling", _): "the parent's"
        default: "none"
        }
    }
}

/// A rule and its keys as a policy file has them.
protocol WrittenRule: Equatable {
    var name: String { get }
    var written: [(key: String, value: String)] { get }
}

extension MirrorRule: WrittenRule {}
extension SampleRule: WrittenRule {}
extension ShapeRule: WrittenRule {}
