import Configuration
import Datapath
import Flows
import NetworkTypes
import Policy
import Reports

/// Finds the interfaces that rules name, and the kernel's places for their parts.
struct PolicyResolution {
    let interfaces: [CountedInterface]
    let book: RuleBook
    private var taken: Set<RuleBook.Place> = []

    init(_ interfaces: [CountedInterface], _ book: RuleBook) {
        self.interfaces = interfaces
        self.book = book
    }

    /// The counted interfaces that a scope's `on` means: names and patterns of the agent's own namespace, or of another's behind
    /// `NAMESPACE:`; all of them where it names none.
    func interfaces(of scope: RuleScope) -> [CountedInterface] {
        guard !scope.interfaces.isEmpty else { return interfaces }
        return interfaces.filter { interface in scope.interfaces.contains { Self.means($0, interface) } }
    }

    private static func means(_ selector: String, _ interface: CountedInterface) -> Bool {
        // An interface's name has no colon; a namespace's may.
        guard let colon = selector.lastIndex(of: ":") else {
            return interface.namespace == nil && Glob(selector).matches(interface.name)
        }
        guard let namespace = interface.namespace else { return false }
        return Glob(String(selector[..<colon])).matches(namespace)
            && Glob(String(selector[selector.index(after: colon)...])).matches(interface.name)
    }

    /// The parts of all rules, in the order in which they take precedence.
    mutating func parts(of policy: Policy, _ plan: inout PolicyPlan) -> [RulePart] {
        var parts: [RulePart] = []
        for (index, rule) in policy.mirrors.enumerated() {
            for (cookie, members) in Self.byNamespace(found(rule.name, rule.scope, &plan)) {
                add(.mirror, index, rule.name, part: cookie, rule.scope, members, rule.priority, &parts, &plan)
            }
        }
        for (index, rule) in policy.samplers.enumerated() {
            let members = found(rule.name, rule.scope, &plan)
            if !members.isEmpty { add(.sampler, index, rule.name, part: 0, rule.scope, members, 0, &parts, &plan) }
        }
        for (index, rule) in policy.shapers.enumerated() {
            for member in found(rule.name, rule.scope, &plan) {
                add(.shaper, index, rule.name, part: UInt64(member.id.rawValue), rule.scope, [member], 0, &parts, &plan)
            }
        }
        return parts
    }

    private func found(_ name: String, _ scope: RuleScope, _ plan: inout PolicyPlan) -> [CountedInterface] {
        let found = interfaces(of: scope)
        if found.isEmpty { plan.waiting.append(name) }
        return found
    }

    private static func byNamespace(_ interfaces: [CountedInterface]) -> [(UInt64, [CountedInterface])] {
        var groups: [(UInt64, [CountedInterface])] = []
        for interface in interfaces {
            if let index = groups.firstIndex(where: { $0.0 == interface.namespaceCookie }) {
                groups[index].1.append(interface)
            } else {
                groups.append((interface.namespaceCookie, [interface]))
            }
        }
        return groups
    }

    private mutating func add(
        _ kind: RuleBook.Kind, _ rule: Int, _ name: String, part: UInt64, _ scope: RuleScope, _ interfaces: [CountedInterface],
        _ priority: Int, _ parts: inout [RulePart], _ plan: inout PolicyPlan
    ) {
        let tenant = RuleBook.Tenant(name: name, part: part)
        guard let place = book.place(of: tenant, kind, besides: taken) else {
            plan.refusals.append(
                .init(
                    rule: name, reason: "there is no room for one more: \(kind.places.count) of its kind are the most",
                    hint: "a rule counts once for each namespace (mirrors) or interface (shapers) it applies to"))
            return
        }
        taken.insert(place)
        parts.append(
            RulePart(rule: rule, name: name, place: place, tenant: tenant, scope: scope, interfaces: interfaces, priority: priority))
    }
}
