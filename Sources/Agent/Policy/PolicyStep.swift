import Datapath
import Flows
import NetworkTypes
import Policy
import Reports

/// One change of the kernel, and how it is taken back.
struct PolicyStep {
    var report: PlanReport.Step
    var apply: () throws -> Void
    /// Brings back what was before `apply`; called only after it, when a later step failed.
    var undo: () throws -> Void

    init(_ report: PlanReport.Step, apply: @escaping () throws -> Void, undo: @escaping () throws -> Void) {
        self.report = report
        self.apply = apply
        self.undo = undo
    }
}

/// The way from what is to what is wanted.
struct PolicyPlan {
    var steps: [PolicyStep] = []
    var refusals: [PlanReport.Refusal] = []
    /// Rules whose interfaces are not there.
    var waiting: [String] = []
    var remarks: [String] = []
    /// What the program is compiled from, for those who report on it.
    var parts: [RulePart] = []

    func report(applied: Bool, confirmWithinSeconds: Double? = nil) -> PlanReport {
        PlanReport(
            steps: steps.map(\.report), refusals: refusals, waiting: waiting, remarks: remarks, applied: applied,
            confirmWithinSeconds: confirmWithinSeconds)
    }
}

/// An interface that is counted, and where it lives.
struct CountedInterface: Hashable {
    var id: InterfaceID
    var name: String
    var ifindex: Int32
    var namespaceCookie: UInt64
    /// nil: the agent's own.
    var namespace: String?

    /// As a person would name it in a policy.
    var fullName: String { namespace.map { "\($0):\(name)" } ?? name }
}

/// What of a rule stands at one place of the kernel's tables.
struct RulePart {
    /// Index of the rule among those of its kind in the policy.
    var rule: Int
    var name: String
    var place: RuleBook.Place
    var tenant: RuleBook.Tenant
    var scope: RuleScope
    /// Never empty; of a mirror all of one namespace, of a shaper one.
    var interfaces: [CountedInterface]
    var priority = 0

    var namespaceCookie: UInt64 { interfaces[0].namespaceCookie }
    var interfaceNames: String { interfaces.map(\.fullName).joined(separator: ", ") }
}

/// Those who make the kernel carry out the rules of one kind.
///
/// `before` brings what the new filter program needs, and leaves everything that the old one uses; `after` takes away what only the old one
/// used.
protocol RuleActuator: AnyObject {
    func changes(to policy: Policy, _ parts: [RulePart], _ plan: inout PolicyPlan) throws -> (before: [PolicyStep], after: [PolicyStep])
}
