import Flows
import NetworkTypes

/// What is wrong with a policy, and how to mend it.
public struct PolicyViolation: Hashable, Sendable {
    public enum Subject: Hashable, Sendable {
        case set(String)
        /// By place in `links`.
        case link(Int)
        /// By place in the list of its kind.
        case rule(RuleKind, Int)
        /// By place in `plan`.
        case plan(Int)
        /// By place in `routes`.
        case route(Int)
    }

    public var subject: Subject
    /// In the words of a policy file, below the subject: `to.vxlan.vni`; empty: the subject as a whole.
    public var key: String
    public var reason: String
    public var hint: String?
    /// What it disagrees with, where that is written elsewhere.
    public var other: Subject?

    public init(_ subject: Subject, _ key: String, _ reason: String, hint: String? = nil, other: Subject? = nil) {
        self.subject = subject
        self.key = key
        self.reason = reason
        self.hint = hint
        self.other = other
    }
}

extension Policy {
    /// The shortest snap length, bytes: all headers of a packet up to TCP without options, and room for tags.
    public static let shortestSnapLength = 64
    /// The identifiers by which mirrored traffic is known, on any host (`NILO_MIRROR_VNI_FIRST`).
    public static let mirrorVNIs: ClosedRange<UInt32> = 0xFF_0000...0xFF_FFFF

    /// 1 to 32 of a-z, 0-9, dot, dash and underscore: the name of a rule or prefix set.
    public static func isName(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }

    /// A rule's name and scope, whatever its kind.
    var allRules: [(subject: PolicyViolation.Subject, name: String, scope: RuleScope)] {
        mirrors.enumerated().map { (.rule(.mirror, $0), $1.name, $1.scope) }
            + samplers.enumerated().map { (.rule(.sampler, $0), $1.name, $1.scope) }
            + shapers.enumerated().map { (.rule(.shaper, $0), $1.name, $1.scope) }
    }

    /// Everything that is wrong with the policy by itself; whether this host can carry it out is another question. Empty: nothing.
    public func violations() -> [PolicyViolation] {
        // Of too many rules no more is said: to compare each with the others would take long.
        let tooMany = countViolations()
        guard tooMany.isEmpty else { return tooMany }
        let mirrored = mirrors.enumerated().flatMap { $1.violations(.rule(.mirror, $0)) } + fileViolations()
        return nameViolations() + setViolations() + linkViolations() + mirrored
            + samplers.enumerated().flatMap { $1.violations(.rule(.sampler, $0)) }
            + shapers.enumerated().flatMap { $1.violations(.rule(.shaper, $0)) } + shareViolations() + planViolations()
            + routeViolations()
    }

    private func nameViolations() -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        var owners: [String: PolicyViolation.Subject] = [:]
        for rule in allRules {
            if !Self.isName(rule.name) {
                violations.append(.init(rule.subject, "name", "a name is 1 to 32 of a-z, 0-9, dot, dash and underscore"))
            } else if let owner = owners[rule.name] {
                violations.append(
                    .init(
                        rule.subject, "name", "another rule has this name", hint: "names are unique over all kinds and files", other: owner)
                )
            } else {
                owners[rule.name] = rule.subject
            }
        }
        return violations
    }

    /// Two that write the same files would take each other's away.
    private func fileViolations() -> [PolicyViolation] {
        var first: [String: Int] = [:]
        return mirrors.enumerated().compactMap { index, rule in
            guard case .file(let file) = rule.target else { return nil }
            guard let other = first[file.path] else {
                first[file.path] = index
                return nil
            }
            return .init(
                .rule(.mirror, index), "to.file.path", "is where \(mirrors[other].name) writes its files", hint: "a path for each rule",
                other: .rule(.mirror, other))
        }
    }

    private func countViolations() -> [PolicyViolation] {
        [(RuleKind.mirror, mirrors.count), (.sampler, samplers.count), (.shaper, shapers.count)].compactMap { kind, count in
            let most = kind.mostRules
            guard count > most else { return nil }
            return .init(.rule(kind, most), "", "there are \(count) \(kind.rawValue) rules, \(most) are possible")
        }
    }

    private func setViolations() -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        for (name, prefixes) in prefixSets.sorted(by: { $0.key < $1.key }) {
            if !Self.isName(name) {
                violations.append(.init(.set(name), "", "a name is 1 to 32 of a-z, 0-9, dot, dash and underscore"))
            }
            var seen: Set<IPPrefix> = []
            let duplicates = prefixes.filter { !seen.insert($0).inserted }
            if let first = duplicates.first {
                let more = duplicates.count > 1 ? ", and \(duplicates.count - 1) more" : ""
                violations.append(.init(.set(name), "", "\(first) is there twice\(more)"))
            }
        }
        return violations
    }

    private func linkViolations() -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        var owners: [String: Int] = [:]
        for (index, link) in links.enumerated() {
            if link.alternatives.contains(link.interface) {
                violations.append(.init(.link(index), "alternatives", "a link is no alternative to itself"))
            }
            if let criticality = link.criticality, !(0...100).contains(criticality) {
                violations.append(.init(.link(index), "criticality", "must be 0 (may be lost) to 100 (must not fail)"))
            }
            if let capacity = link.capacity, !ShapeRule.rateBounds.contains(capacity) {
                violations.append(.init(.link(index), "capacity", ShapeRule.rateReason))
            }
            if let owner = owners[link.interface] {
                violations.append(.init(.link(index), "interface", "the link is declared twice", other: .link(owner)))
            }
            owners[link.interface] = owners[link.interface] ?? index
        }
        return violations
    }
}

extension RuleScope {
    /// The interface's name, or a pattern of names, without the namespace.
    static func interfaceName(_ reference: String) -> String {
        reference.lastIndex(of: ":").map { String(reference[reference.index(after: $0)...]) } ?? reference
    }
}
