import Configuration
import Datapath
import Netlink
import NetworkTypes
import Policy

/// Finds the counted interfaces that rules name.
struct PolicyResolution {
    let interfaces: [CountedInterface]
    /// Root qdiscs that others made may be replaced.
    let mayReplace: Bool
    /// Tells why an interface is not among those; nil: nobody wants to know, and no rule is told to wait.
    var uncounted: UncountedInterfaces?

    /// The counted interfaces that a scope's `on` means: names and patterns of the agent's own namespace, or of another's behind
    /// `NAMESPACE:`; all of them where it names none. A rule that finds none waits; so does one for each name that it does not find.
    func interfaces(of scope: RuleScope, for rule: String, _ plan: inout PolicyPlan) -> [CountedInterface] {
        guard !scope.interfaces.isEmpty else {
            if interfaces.isEmpty, uncounted != nil { plan.waiting.append(.init(rule: rule, reason: "no interface is counted")) }
            return interfaces
        }
        let found = interfaces.filter { interface in scope.interfaces.contains { Self.means($0, interface.name, interface.namespace) } }
        guard let uncounted else { return found }
        // Of several patterns some may well be about other hosts.
        for selector in scope.interfaces where found.isEmpty || !Glob(selector).isPattern {
            if found.contains(where: { Self.means(selector, $0.name, $0.namespace) }) { continue }
            plan.waiting.append(.init(rule: rule, reason: uncounted.reason(for: selector), inPart: !found.isEmpty))
        }
        return found
    }

    static func means(_ selector: String, _ name: String, _ namespace: String?) -> Bool {
        // An interface's name has no colon; a namespace's may.
        guard selector.contains(":") else { return namespace == nil && Glob(selector).matches(name) }
        return InterfacePattern(selector)?.matches(name, owner: namespace) ?? false
    }
}

/// Interfaces of the followed namespaces that are there and are not counted. The kernel is asked when somebody first wants to know.
final class UncountedInterfaces {
    struct One {
        var name: String
        /// nil: the agent's own namespace.
        var namespace: String?
        /// Why it could not be attached to; nil: nobody wants it counted.
        var refused: String?
    }

    private let read: () -> [One]
    private lazy var all = read()

    init(_ read: @escaping () -> [One]) { self.read = read }

    convenience init(_ follower: InterfaceFollower) {
        self.init {
            follower.namespaces.values.flatMap { followed -> [One] in
                guard let links = try? followed.socket.links() else { return [] }
                return links.filter { followed.attached[$0.index] == nil }.map {
                    One(name: $0.name, namespace: followed.owner, refused: followed.refused[$0.index])
                }
            }
        }
    }

    /// Why no counted interface is what a rule's `on` names, in words.
    func reason(for selector: String) -> String {
        let there = all.filter { PolicyResolution.means(selector, $0.name, $0.namespace) }
        guard let first = there.first else {
            return Glob(selector).isPattern ? "no interface is called \(selector.visible)" : "\(selector.visible) is not there"
        }
        if let refused = first.refused { return "\(selector.visible) is there, but cannot be counted: \(refused)" }
        return "\(selector.visible) is there, but not counted: agent.yaml leaves it out"
    }
}
