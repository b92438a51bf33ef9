import Configuration
import Datapath
import NetworkTypes
import Policy

/// Finds the counted interfaces that rules name.
struct PolicyResolution {
    let interfaces: [CountedInterface]
    /// Root qdiscs that others made may be replaced.
    let mayReplace: Bool

    /// The counted interfaces that a scope's `on` means: names and patterns of the agent's own namespace, or of another's behind
    /// `NAMESPACE:`; all of them where it names none. A rule that finds none waits.
    func interfaces(of scope: RuleScope, for rule: String, _ plan: inout PolicyPlan) -> [CountedInterface] {
        let found =
            scope.interfaces.isEmpty
            ? interfaces : interfaces.filter { interface in scope.interfaces.contains { Self.means($0, interface) } }
        if found.isEmpty { plan.waiting.insert(rule) }
        return found
    }

    private static func means(_ selector: String, _ interface: CountedInterface) -> Bool {
        // An interface's name has no colon; a namespace's may.
        guard selector.contains(":") else { return interface.namespace == nil && Glob(selector).matches(interface.name) }
        return InterfacePattern(selector)?.matches(interface.name, owner: interface.namespace) ?? false
    }
}
