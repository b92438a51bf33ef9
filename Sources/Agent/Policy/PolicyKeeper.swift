import Configuration
import Datapath
import Flows
import Logging
import Netlink
import NetworkTypes
import Policy
import Reports

/// Keeps the kernel doing what the policy folder says. On the agent's thread.
///
/// What is wanted is compared with what the kernel shows, and the difference is carried out step by step: what is new first, then the filter
/// program in one go, then what is to leave. A step that fails takes those before it back.
///
/// Here is what is known, and planning; what is done with it stands in the files beside: carrying out (`+Carrying`), changes that are asked
/// for (`+Change`), their confirmation (`+Unconfirmed`), and what is looked after all the time (`+Keeping`).
final class PolicyKeeper {
    let directory: PolicyDirectory
    let samples: SampleActuator
    let mirrors: MirrorActuator
    let shapes: ShapeActuator
    let datapath: Datapath
    let follower: InterfaceFollower
    let log: Log
    private let programs: PolicyTables
    let book: RuleBook

    // What follows is changed by the keeper's own parts alone.

    /// What is asked for; in force but for `refusals`.
    var policy = Policy()
    /// Where its rules are written, by their names.
    var places: [String: PolicyFile.Place] = [:]
    /// false: nothing has been carried out yet: what an earlier agent put in force stays as it is, though this one does not know its rules.
    var isInForce = false
    var files: [String] = []
    /// The files that `policy` was read from, by their names.
    var accepted: [String: [UInt8]] = [:]
    /// What stands in the folder's hidden file: a change waits to be confirmed, or was taken back and the folder still has it.
    var unconfirmed: UnconfirmedPolicy?
    /// How the last change that was not confirmed ended.
    var lapse: String?
    /// A change was taken back: the names of its files, and why.
    var onLapse: (_ files: [String], _ reason: String) -> Void = { _, _ in }
    var program: FilterProgram? { enforced?.program }
    private var enforced: Enforced?
    /// What the last plan could not do.
    var refused: [PlanReport.Refusal] = []
    /// The same with what was left out at the start.
    var refusals: [PlanReport.Refusal] { refused + leftOut.sorted { $0.key < $1.key }.map(\.value) }
    var waiting: [PlanReport.Waiting] = []
    /// Rules that failed when the policy was put in force at the start, the rest without them: tried again as drift is repaired.
    var leftOut: [String: PlanReport.Refusal] = [:]
    /// Why the folder's files could not be put in force when that was tried last.
    var trouble: Trouble?
    /// What the folder's files are worth as they stand there now.
    var judgement: PolicyJudgement?
    /// How often something of ours that others had changed was put right.
    var repaired = 0
    /// Why what is in force could not be kept so when it was looked at last; empty: it could.
    var lastComplaint = ""
    /// The interfaces that were there when the policy was carried out last.
    var known: Set<InterfaceID> = []
    var turns = 0
    var pending: Pending? {
        didSet { if let pending { onPending(ContinuousClock.now.duration(to: pending.until)) } }
    }
    /// A change has to be taken back after this time, by `takeBack`, unless it is confirmed.
    var onPending: (Duration) -> Void = { _ in }
    /// Mirror sessions that no file says, in force beside the policy for as long as somebody wants them.
    var guests: [MirrorRule] = []
    /// What planning allocates classes beside what the files say.
    var allocations = PlannedAllocations()
    /// Something may have been installed or removed.
    var onChange: () -> Void = {}

    /// A filter program and what it was compiled from.
    private struct Enforced {
        var program: FilterProgram
        var rules: [KernelRule]
        var prefixSets: [String: [IPPrefix]]
    }

    /// A change that comes back by itself.
    struct Pending {
        var before: Policy
        var placesBefore: [String: PolicyFile.Place]
        var acceptedBefore: [String: [UInt8]]
        /// The folder as it was found, and names of files in it that the change is about.
        var found: [String: [UInt8]]
        var changed: [String]
        var put: [PolicyDirectory.File]
        var remove: [String]
        var until: ContinuousClock.Instant
    }

    init(
        _ configuration: AgentConfiguration, _ datapath: Datapath, _ follower: InterfaceFollower, _ log: Log, qdiscs: Set<String>
    ) throws {
        directory = PolicyDirectory(path: configuration.policy)
        self.datapath = datapath
        self.follower = follower
        self.log = log
        programs = PolicyTables(maps: datapath.maps)
        book = try RuleBook(maps: datapath.maps)
        samples = try SampleActuator(datapath, book)
        mirrors = try MirrorActuator(datapath, book, follower, vxlanPorts: configuration.datapath.vxlanPorts)
        shapes = try ShapeActuator(datapath, follower, replaced: ReplacedQdiscs(readingIfPossible: ReplacedQdiscs.path), qdiscs: qdiscs)
        shapes.onLost = { lost in
            log.warning(
                "replaced qdisc not put back: its interface has gone",
                ["interface": LogValue(lost.interface), "qdisc": LogValue(lost.kind)])
        }
    }

    /// Until a change that nobody has confirmed is taken back; nil: none waits.
    var confirmWithinSeconds: Double? { pending.map { max(0, ContinuousClock.now.duration(to: $0.until).seconds) } }

    var generation: UInt32 { (try? programs.generation) ?? 0 }
    var actuators: [any RuleActuator] { [mirrors, samples, shapes] }

    var resolution: PolicyResolution { PolicyResolution(interfaces: interfaces, mayReplace: false) }

    var interfaces: [CountedInterface] {
        datapath.interfaces.compactMap { interface in
            guard let place = follower.place(of: interface.id) else { return nil }
            return CountedInterface(
                id: interface.id, name: interface.name, ifindex: place.index, namespaceCookie: interface.namespaceCookie,
                namespace: place.namespace.owner)
        }
    }

    // MARK: Planning

    /// Compares a policy with what the kernel shows. Changes nothing.
    func plan(_ wanted: Policy, mayReplace: Bool) throws -> PolicyPlan {
        var policy = allocations.applied(to: wanted)
        policy.mirrors += guests
        var plan = PolicyPlan()
        let interfaces = interfaces
        let resolution = PolicyResolution(interfaces: interfaces, mayReplace: mayReplace, uncounted: UncountedInterfaces(follower))
        let parts = try actuators.map { try $0.prepare(policy, resolution, &plan) }
        plan.remarks += policy.prefixSets.filter(\.value.isEmpty).keys.sorted().map {
            "set \($0): there is no prefix in it, so that net @\($0) matches nothing"
        }
        for index in plan.waiting.indices { plan.waiting[index].kind = policy.kind(of: plan.waiting[index].rule)?.rawValue }
        let expected = try compile(parts.flatMap(\.expectedRules), policy, interfaces)
        plan.steps = parts.flatMap(\.before)
        let exchanges = parts.flatMap(\.exchanges)
        if !exchanges.isEmpty { plan.steps += [exchangeStep(parts, policy, interfaces)] + exchanges }
        let place = plan.steps.count
        if expected.program != program || !exchanges.isEmpty || parts.contains(where: { !$0.before.isEmpty || !$0.after.isEmpty }) {
            plan.steps.append(programStep(expected, parts, policy, interfaces))
        }
        plan.steps += parts.flatMap(\.after).map { step in
            var step = step
            step.isClearing = true
            return step
        }
        explain(&plan.steps, wanted, before: place)
        return plan
    }

    private func compile(_ rules: [KernelRule], _ policy: Policy, _ interfaces: [CountedInterface]) throws -> Enforced {
        do {
            let program = try FilterCompiler.compile(
                rules, interfaces: Dictionary(uniqueKeysWithValues: interfaces.map { ($0.id, $0.name) }), prefixSets: policy.prefixSets)
            return Enforced(program: program, rules: rules, prefixSets: policy.prefixSets)
        } catch {
            throw PlanReport.Refusal(rule: error.rule, reason: error.reason, hint: error.hint)
        }
    }

    private func programStep(
        _ expected: Enforced, _ parts: [ActuatorPlan], _ policy: Policy, _ interfaces: [CountedInterface]
    ) -> PolicyStep {
        let before = enforced
        // Not the one of now: a program may come between (`exchangeStep`).
        var replaced = before
        return PolicyStep(
            programReports(expected),
            apply: { [self] in
                let new = try compile(parts.flatMap { $0.rules() }, policy, interfaces)
                replaced = enforced
                if new.program != program { try enforce(new) } else { enforced = new }
            }, undo: { [self] in try enforce(replaced) })
    }

    private func programReports(_ expected: Enforced) -> [PlanReport.Step] {
        let before = program ?? .empty
        // A program that comes out as it was is no change to speak of.
        guard expected.program != before else { return [] }
        if expected.program == .empty { return [PlanReport.Step(.remove, "filter program: no rule is left that it would serve")] }
        func number(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
        let rules = Set(expected.rules.map(\.name)).count
        return [
            PlanReport.Step(
                before == .empty ? .add : .change,
                "filter program: \(number(expected.program.instructions.count, "instruction")) for \(number(rules, "rule"))",
                reason: before == .empty ? nil : reason(for: expected))
        ]
    }

    /// Why the filter program is not what it was.
    private func reason(for expected: Enforced) -> String {
        guard let enforced else { return "an earlier agent's is exchanged" }
        func scopes(_ rules: [KernelRule]) -> [String: Set<KernelRule>] {
            // The number is told by who gives it, and may be a guess.
            Dictionary(grouping: rules, by: \.name).mapValues { Set($0.map { KernelRule(unnumbered: $0) }) }
        }
        let (old, new) = (scopes(enforced.rules), scopes(expected.rules))
        var parts: [String] = []
        func add(_ names: [String], _ what: String) {
            guard !names.isEmpty else { return }
            let more = names.count > 4 ? " and \(names.count - 4) more" : ""
            parts.append(names.sorted().prefix(4).map(\.visible).joined(separator: ", ") + more + " " + what)
        }
        add(new.keys.filter { old[$0] == nil }, "new")
        add(old.keys.filter { new[$0] == nil }, "gone")
        add(new.keys.filter { old[$0] != nil && old[$0] != new[$0] }, "with another filter, direction or interfaces")
        let sets = Set(enforced.prefixSets.keys).union(expected.prefixSets.keys)
        add(sets.filter { enforced.prefixSets[$0] != expected.prefixSets[$0] }.map { "set \($0)" }, "with other prefixes")
        return parts.isEmpty ? "the rules in another order, or under other numbers" : parts.joined(separator: "; ")
    }

    /// Tells of each rule that is written anew what is not as it was, at its step or else in one of its own.
    private func explain(_ steps: inout [PolicyStep], _ wanted: Policy, before place: Int) {
        let changes = isInForce ? PolicyFile.changes(from: policy, to: wanted) : [:]
        var told: Set<String> = []
        for step in steps.indices {
            for index in steps[step].reports.indices where steps[step].reports[index].sign == .change {
                guard let rule = steps[step].reports[index].rule else { continue }
                if let keys = changes[rule], told.insert(rule).inserted {
                    steps[step].reports[index].changes = keys.map { .init($0.key, before: $0.before, after: $0.after) }
                    steps[step].reports[index].reason = nil
                } else if changes[rule] == nil, steps[step].reports[index].reason == nil {
                    steps[step].reports[index].reason =
                        isInForce
                        ? "what it depends on has changed: an interface, a target or the way to it"
                        : "it is not as an earlier agent left it"
                }
            }
        }
        let rest = changes.filter { !told.contains($0.key) }.sorted { $0.key < $1.key }.map { rule, keys in
            PlanReport.Step(
                .change, rule: rule, "\(wanted.kind(of: rule)?.rawValue ?? "") rule",
                changes: keys.map { .init($0.key, before: $0.before, after: $0.after) })
        }
        if !rest.isEmpty { steps.insert(PolicyStep(rest, apply: {}, undo: {}), at: place) }
    }

    /// The new program without the rules whose places are not theirs yet.
    private func exchangeStep(_ parts: [ActuatorPlan], _ policy: Policy, _ interfaces: [CountedInterface]) -> PolicyStep {
        let before = enforced
        return PolicyStep(
            [],
            apply: { [self] in
                let early = parts.flatMap { part in part.rules().filter { !part.exchanged.contains($0.index) } }
                try enforce(try compile(early, policy, interfaces))
            }, undo: { [self] in try enforce(before) })
    }

    /// Puts a program in force, nil: the empty one; packets of interfaces that no rule is about are never looked at for it.
    private func enforce(_ wanted: Enforced?) throws {
        let new = wanted ?? Enforced(program: .empty, rules: [], prefixSets: [:])
        let ids = interfaces.map(\.id)
        func directions(_ program: FilterProgram, _ id: InterfaceID) -> Set<Direction> {
            Set(Direction.allCases.filter { program.points.contains(.init(id, $0)) })
        }
        // Those that an earlier agent left in force among them: what is mirrored goes on being mirrored.
        for id in ids { try datapath.setRules(id, at: datapath.rules(of: id).intersection(directions(new.program, id))) }
        try programs.replace(new.program)
        enforced = new
        for id in ids { try datapath.setRules(id, at: directions(new.program, id)) }
    }
}

extension KernelRule {
    /// The same rule, whatever its number is.
    fileprivate init(unnumbered rule: KernelRule) {
        self = rule
        index = 0
    }
}
