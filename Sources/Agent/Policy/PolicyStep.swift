import Datapath
import Flows
import NetworkTypes
import Policy
import Reports

/// A change of the kernel that is made as one, and how it is taken back.
struct PolicyStep {
    var reports: [PlanReport.Step]
    var apply: () throws -> Void
    /// Brings back what was before `apply`; called only after it, when a later step failed.
    var undo: () throws -> Void
    /// Makes again what was made before and is not there any more, whatever else has changed meanwhile.
    var isRepair = false
    /// The rules that cannot be in force without it.
    var rules: Set<String>
    /// It only takes away what no rule needs any more.
    var isClearing = false

    init(_ reports: [PlanReport.Step], apply: @escaping () throws -> Void, undo: @escaping () throws -> Void) {
        self.reports = reports
        self.apply = apply
        self.undo = undo
        rules = Set(reports.compactMap(\.rule))
    }
    init(_ report: PlanReport.Step, apply: @escaping () throws -> Void, undo: @escaping () throws -> Void) {
        self.init([report], apply: apply, undo: undo)
    }
}

/// The way from what is to what is wanted.
struct PolicyPlan {
    var steps: [PolicyStep] = []
    var refusals: [PlanReport.Refusal] = []
    /// Interfaces that rules name and do not find.
    var waiting: [PlanReport.Waiting] = []
    var remarks: [String] = []
    /// Where a root qdisc of others stands in the place of ours.
    var displaced: [InterfaceID: Displacement] = [:]

    func report(applied: Bool, confirmWithinSeconds: Double? = nil) -> PlanReport {
        PlanReport(
            steps: steps.flatMap(\.reports), refusals: refusals, waiting: waiting, remarks: remarks, applied: applied,
            confirmWithinSeconds: confirmWithinSeconds)
    }
}

/// A root qdisc of others that has taken the place of ours.
struct Displacement: Hashable {
    /// As a person would name it in a policy.
    var interface: String
    /// `tbf`.
    var kind: String
    /// Rules that had classes there.
    var rules: [String]

    var description: String {
        "\(interface): a \(kind) qdisc of others took the place of ours: \(rules.joined(separator: ", ")) "
            + (rules.count == 1 ? "has no classes and is" : "have no classes and are") + " policed or refused"
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
    /// The MAC address, where it was asked for: a number goes to another interface when one is gone.
    var address: [UInt8] = []

    /// As a person would name it in a policy.
    var fullName: String { namespacePrefix(namespace) + name }
}

/// What the rules of one kind come to.
///
/// `before` brings what the new filter program needs and leaves all that the old one uses; `after` takes away what only the old one used.
struct ActuatorPlan {
    var before: [PolicyStep] = []
    /// Where there is no room for both: takes away what only the old program used and puts in its place what the new one needs. Meanwhile
    /// a program is in force that names none of `exchanged`.
    var exchanges: [PolicyStep] = []
    /// Kernel indices of the rules that `exchanges` is about.
    var exchanged: Set<Int> = []
    var after: [PolicyStep] = []
    /// The rules as the filter program is to know them; asked for after `before` has been carried out.
    var rules: () -> [KernelRule] = { [] }
    /// The same for a plan that is not carried out: numbers of rules that are not there yet are guesses.
    var expectedRules: [KernelRule] = []
}

/// Those who make the kernel carry out the rules of one kind. Planning changes nothing.
protocol RuleActuator: AnyObject {
    func prepare(_ policy: Policy, _ resolution: PolicyResolution, _ plan: inout PolicyPlan) throws -> ActuatorPlan
    /// Takes away all that rules of this kind have made outside the maps, at the agent's end.
    func withdraw() throws
}
