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
final class PolicyKeeper {
    let directory: PolicyDirectory
    let samples: SampleActuator
    let mirrors: MirrorActuator
    let shapes: ShapeActuator
    private let datapath: Datapath
    private let follower: InterfaceFollower
    private let log: Log
    private let programs: PolicyTables
    let book: RuleBook
    private(set) var policy = Policy()
    /// Where its rules are written, by their names.
    private(set) var places: [String: PolicyFile.Place] = [:]
    /// false: nothing has been carried out yet: what an earlier agent put in force stays as it is, though this one does not know its rules.
    private(set) var isInForce = false
    private(set) var files: [String] = []
    /// The files that `policy` was read from, by their names.
    private var accepted: [String: [UInt8]] = [:]
    /// What stands in the folder's hidden file: a change waits to be confirmed, or was taken back and the folder still has it.
    private var unconfirmed: UnconfirmedPolicy?
    /// How the last change that was not confirmed ended.
    private var lapse: String?
    /// A change was taken back: the names of its files, and why.
    var onLapse: (_ files: [String], _ reason: String) -> Void = { _, _ in }
    private var program: FilterProgram?
    private(set) var refusals: [PlanReport.Refusal] = []
    private(set) var waiting: [String] = []
    /// Why the folder's files are not what is in force.
    private(set) var problem: String?
    /// How often something of ours that others had changed was put right.
    private(set) var repaired = 0
    /// Why what is in force could not be kept so when it was looked at last; empty: it could.
    private(set) var lastComplaint = ""
    /// The interfaces that were there when the policy was carried out last.
    private var known: Set<InterfaceID> = []
    private(set) var pending: Pending? {
        didSet { if let pending { onPending(ContinuousClock.now.duration(to: pending.until)) } }
    }
    /// A change has to be taken back after this time, by `takeBack`, unless it is confirmed.
    var onPending: (Duration) -> Void = { _ in }
    /// Mirror sessions that no file says, in force beside the policy for as long as somebody wants them.
    private(set) var guests: [MirrorRule] = []
    /// Something may have been installed or removed.
    var onChange: () -> Void = {}

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
    private var actuators: [any RuleActuator] { [mirrors, samples, shapes] }

    var resolution: PolicyResolution { PolicyResolution(interfaces: interfaces, mayReplace: false) }

    private var interfaces: [CountedInterface] {
        datapath.interfaces.compactMap { interface in
            guard let place = follower.place(of: interface.id) else { return nil }
            return CountedInterface(
                id: interface.id, name: interface.name, ifindex: place.index, namespaceCookie: interface.namespaceCookie,
                namespace: place.namespace.owner)
        }
    }

    // MARK: Planning

    /// Compares a policy with what the kernel shows. Changes nothing.
    func plan(_ policy: Policy, mayReplace: Bool) throws -> PolicyPlan {
        var policy = policy
        policy.mirrors += guests
        var plan = PolicyPlan()
        let interfaces = interfaces
        let resolution = PolicyResolution(interfaces: interfaces, mayReplace: mayReplace)
        let parts = try actuators.map { try $0.prepare(policy, resolution, &plan) }
        plan.remarks += policy.prefixSets.filter(\.value.isEmpty).keys.sorted().map {
            "set \($0): there is no prefix in it, so that net @\($0) matches nothing"
        }
        let expected = try compile(parts.flatMap(\.expectedRules), policy, interfaces)
        plan.steps = parts.flatMap(\.before)
        let exchanges = parts.flatMap(\.exchanges)
        if !exchanges.isEmpty { plan.steps += [exchangeStep(parts, policy, interfaces)] + exchanges }
        if expected != program || !exchanges.isEmpty || parts.contains(where: { !$0.before.isEmpty || !$0.after.isEmpty }) {
            plan.steps.append(programStep(expected, parts, policy, interfaces))
        }
        plan.steps += parts.flatMap(\.after)
        return plan
    }

    private func compile(_ rules: [KernelRule], _ policy: Policy, _ interfaces: [CountedInterface]) throws -> FilterProgram {
        do {
            return try FilterCompiler.compile(
                rules, interfaces: Dictionary(uniqueKeysWithValues: interfaces.map { ($0.id, $0.name) }), prefixSets: policy.prefixSets)
        } catch {
            throw PlanReport.Refusal(rule: error.rule, reason: error.reason, hint: error.hint)
        }
    }

    private func programStep(
        _ expected: FilterProgram, _ parts: [ActuatorPlan], _ policy: Policy, _ interfaces: [CountedInterface]
    ) -> PolicyStep {
        let before = program
        // A program that comes out as it was is no change to speak of.
        let reports =
            expected == before ?? .empty
            ? []
            : [
                PlanReport.Step(
                    .change,
                    "filter program: \(expected.instructions.count) instructions, rules: \(parts.map(\.expectedRules.count).reduce(0, +))"
                )
            ]
        // Not the one of now: a program may come between (`exchangeStep`).
        var replaced = before
        return PolicyStep(
            reports,
            apply: { [self] in
                let new = try compile(parts.flatMap { $0.rules() }, policy, interfaces)
                replaced = program
                if new != program { try enforce(new) }
            }, undo: { [self] in try enforce(replaced ?? .empty) })
    }

    /// The new program without the rules whose places are not theirs yet.
    private func exchangeStep(_ parts: [ActuatorPlan], _ policy: Policy, _ interfaces: [CountedInterface]) -> PolicyStep {
        let before = program
        return PolicyStep(
            [],
            apply: { [self] in
                let early = parts.flatMap { part in part.rules().filter { !part.exchanged.contains($0.index) } }
                try enforce(try compile(early, policy, interfaces))
            }, undo: { [self] in try enforce(before ?? .empty) })
    }

    /// Puts a program in force; packets of interfaces that no rule is about are never looked at for it.
    private func enforce(_ new: FilterProgram) throws {
        let ids = interfaces.map(\.id)
        func directions(_ program: FilterProgram, _ id: InterfaceID) -> Set<Direction> {
            Set(Direction.allCases.filter { program.points.contains(.init(id, $0)) })
        }
        // Those that an earlier agent left in force among them: what is mirrored goes on being mirrored.
        for id in ids { try datapath.setRules(id, at: datapath.rules(of: id).intersection(directions(new, id))) }
        try programs.replace(new)
        program = new
        for id in ids { try datapath.setRules(id, at: directions(new, id)) }
    }

    // MARK: Carrying out

    private func carryOut(_ plan: PolicyPlan) throws {
        defer { onChange() }
        for (index, step) in plan.steps.enumerated() {
            do { try step.apply() } catch {
                var lost: [String] = []
                for done in plan.steps[..<index].reversed() {
                    do { try done.undo() } catch { lost.append("\(error)") }
                }
                let undone =
                    lost.isEmpty ? "nothing was changed" : "and taking back what had been done failed: \(lost.joined(separator: "; "))"
                // The kernel's refusals begin with the command.
                let what = error is NetlinkError ? "" : step.reports.first.map { "\($0.command ?? $0.what): " } ?? ""
                throw AgentFailure("apply the policy", "\(what)\(error); \(undone)")
            }
        }
        isInForce = true
        refusals = plan.refusals
        waiting = plan.waiting.sorted()
        known = Set(interfaces.map(\.id))
    }

    /// Puts a session in force beside the policy.
    /// - Parameter dryRun: only tells whether it could be.
    func add(guest rule: MirrorRule, dryRun: Bool = false) throws {
        guard isInForce else {
            throw AgentFailure("capture", "the policy files are not in force", hint: "nilo plan says why")
        }
        guests.append(rule)
        do {
            let plan = try plan(policy, mayReplace: false)
            if let refusal = plan.refusals.first(where: { $0.rule == rule.name }) { throw refusal }
            if plan.waiting.contains(rule.name) {
                throw AgentFailure("capture", "no such interface is being counted", hint: "nilo interfaces lists those that are")
            }
            if dryRun { guests.removeLast() } else { try carryOut(plan) }
        } catch {
            guests.removeAll { $0.name == rule.name }
            throw error
        }
    }

    func remove(guest name: String) throws {
        guests.removeAll { $0.name == name }
        try carryOut(try plan(policy, mayReplace: false))
    }

    /// The mirror rule of this name, of the policy or a guest.
    func mirror(named name: String) -> MirrorRule? { (policy.mirrors + guests).first { $0.name == name } }

    /// Reads the folder and applies it, at the start and when asked to without a change. Files with a problem leave what is in force.
    func load(mayReplace: Bool = false) throws -> PolicyPlan {
        guard pending == nil else { throw Self.unconfirmed }
        let file: PolicyFile
        let taken: [String: [UInt8]]
        var held: [String] = []
        do {
            if !isInForce { unconfirmed = try UnconfirmedPolicy.read(directory) }
            let found = try folder()
            if let unconfirmed { held = UnconfirmedPolicy.difference(unconfirmed.files, found) }
            // What nobody has confirmed does not come into force because somebody asks for something else.
            taken = held.isEmpty ? found : unconfirmed?.files ?? found
            file = try parse(taken)
        } catch {
            problem = "\(error)" + (datapath.tookOver && !isInForce ? "\nrules of an earlier agent stay in force until that is mended" : "")
            throw AgentFailure("read the policy", "\(error)", hint: "what was in force stays in force")
        }
        files = taken.keys.sorted()
        let plan: PolicyPlan
        do {
            try shapes.settle()
            plan = try self.plan(file.policy, mayReplace: mayReplace)
            try carryOut(plan)
        } catch {
            problem = "\(error)"
            throw error
        }
        (policy, places, accepted) = (file.policy, file.places, taken)
        problem = nil
        if let held = unconfirmed, held.isPending {
            ended(held.changed, "the agent ended before that, and the next one took the change back")
        }
        settleUnconfirmed()
        return plan
    }

    /// The folder's files, by their names.
    private func folder() throws -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: try directory.read().map { ($0.name, $0.bytes) })
    }

    /// - Parameter files: by their names, without the folder.
    private func parse(_ files: [String: [UInt8]]) throws -> PolicyFile {
        try PolicyFile.parse(files.sorted { $0.key < $1.key }.map { .init(name: "\(directory.path)/\($0.key)", bytes: $0.value) })
    }

    // MARK: Unconfirmed changes

    /// A change was taken back.
    private func ended(_ files: [String], _ reason: String) {
        lapse = reason
        log.warning("policy not confirmed; taken back", ["files": LogValue(files.joined(separator: " ")), "reason": LogValue(reason)])
        onLapse(files, reason)
    }

    /// After a change was taken back: forgets it where the folder says what is in force, else says that it does not.
    private func settleUnconfirmed() {
        guard var held = unconfirmed else { return }
        do {
            let names = UnconfirmedPolicy.difference(held.files, try folder())
            guard !names.isEmpty else { return try forgetUnconfirmed() }
            problem = "\(directory.path): \(Self.unconfirmedText(names)): the earlier policy is in force\nhint: \(Self.unconfirmedHint)"
            guard held.isPending else { return }
            held.isPending = false
            unconfirmed = held
            try held.write(directory)
        } catch { log.error("unconfirmed change not written down", ["reason": LogValue("\(error)")]) }
    }

    private static let unconfirmedHint = "nilo apply puts in force what the folder says; or restore the files, then: nilo apply"

    private static func unconfirmedText(_ names: [String]) -> String {
        names.joined(separator: ", ") + (names.count == 1 ? " was" : " were") + " not confirmed and taken back"
    }

    /// From here on the folder alone says what is wanted.
    private func forgetUnconfirmed() throws {
        try directory.removeUnconfirmed()
        unconfirmed = nil
    }

    /// Files whose change was taken back and that a change would bring along though it is not about them.
    private func carriedAlong(_ found: [String: [UInt8]], besides names: Set<String>) -> [String] {
        guard pending == nil, let unconfirmed else { return [] }
        return UnconfirmedPolicy.difference(unconfirmed.files, found).filter { !names.contains($0) }
    }

    private static let unconfirmed = AgentFailure(
        "apply the policy", "an earlier change waits to be confirmed", hint: "nilo confirm, or wait until it is taken back")

    /// Carries a requested change out, or tells what it would do.
    func change(_ change: PolicyChange) throws -> PlanReport {
        let found = try folder()
        var wanted = found
        for (name, text) in change.put {
            guard PolicyDirectory.isFileName(name) else {
                throw AgentFailure(
                    "apply the policy", "\"\(name.visible)\" is no name for a policy file", hint: "letters and digits, ending in .yaml")
            }
            wanted[name] = Array(text.utf8)
        }
        var removed = change.remove
        if let odd = removed.first(where: { !PolicyDirectory.isFileName($0) }) {
            throw AgentFailure("apply the policy", "\"\(odd.visible)\" is no name for a policy file")
        }
        if let rule = change.removeRule { removed.append(try fileOf(rule, change.removeKind.flatMap { RuleKind(rawValue: $0) }, wanted)) }
        if let both = removed.first(where: { change.put[$0] != nil }) {
            throw AgentFailure("apply the policy", "\(both) is to be put there and removed at once")
        }
        for name in removed { wanted[name] = nil }
        var file = try PolicyFile.parse(wanted.sorted { $0.key < $1.key }.map { .init(name: $0.key, bytes: $0.value) })
        file.places = file.places.mapValues { .init(file: "\(directory.path)/\($0.file)", line: $0.line) }
        let along = carriedAlong(found, besides: Set(change.put.keys).union(removed))
        if !along.isEmpty, !change.dryRun, !change.put.isEmpty || !removed.isEmpty {
            throw AgentFailure(
                "apply the policy", "\(Self.unconfirmedText(along)), and would come into force with this change",
                hint: Self.unconfirmedHint)
        }
        if !isInForce && !change.dryRun { try shapes.settle() }
        var plan = try plan(file.policy, mayReplace: change.replace)
        plan.remarks += unread
        if !along.isEmpty { plan.remarks.append("\(Self.unconfirmedText(along)): nilo apply puts in force what the folder says") }
        guard !change.dryRun else { return plan.report(applied: false) }
        if let refusal = plan.refusals.first(where: { refusal in !self.refusals.contains(refusal) }), !change.put.isEmpty {
            // A rule that was just asked for and cannot be is not half taken in.
            throw AgentFailure("apply the policy", "\(refusal.rule): \(refusal.reason)", hint: refusal.hint)
        }
        guard pending == nil else { throw Self.unconfirmed }
        let (before, placesBefore, acceptedBefore) = (policy, places, accepted)
        let put = change.put.map { PolicyDirectory.File(name: $0.key, bytes: Array($0.value.utf8)) }
        // Where nothing changes there is nothing to be cut off by.
        let isNothing = plan.steps.isEmpty && put.isEmpty && removed.isEmpty && wanted == accepted
        let confirm = isNothing ? nil : change.confirmWithinSeconds
        let unconfirmedBefore = unconfirmed
        if confirm != nil {
            // What an earlier agent has written down counts for as long as this one has put nothing in force.
            let earlier = isInForce ? accepted : unconfirmed?.files ?? accepted
            let new = UnconfirmedPolicy(isPending: true, files: earlier, changed: UnconfirmedPolicy.difference(earlier, wanted))
            do { try new.write(directory) } catch { throw AgentFailure("keep the policy", "\(error); nothing was changed") }
            unconfirmed = new
        }
        do { try carryOut(plan) } catch {
            if confirm != nil { bringBack(unconfirmedBefore) }
            throw error
        }
        (policy, places, accepted) = (file.policy, file.places, wanted)
        if let seconds = confirm {
            pending = Pending(
                before: before, placesBefore: placesBefore, acceptedBefore: acceptedBefore, found: found,
                changed: UnconfirmedPolicy.difference(acceptedBefore, wanted) + put.map(\.name) + removed, put: put, remove: removed,
                until: .now + .seconds(seconds))
        } else {
            do { try store(put, removed) } catch {
                // What the folder does not say is not to be in force.
                (policy, places, accepted) = (before, placesBefore, acceptedBefore)
                try carryOut(try self.plan(before, mayReplace: false))
                throw AgentFailure("keep the policy", "\(error); nothing was changed")
            }
        }
        lapse = nil
        files = wanted.keys.sorted()
        problem = nil
        return plan.report(applied: true, confirmWithinSeconds: confirm)
    }

    /// What was written down for a change that did not come about is taken back.
    private func bringBack(_ before: UnconfirmedPolicy?) {
        do {
            if let before { try before.write(directory) } else { try directory.removeUnconfirmed() }
            unconfirmed = before
        } catch { log.error("unconfirmed change not written down", ["reason": LogValue("\(error)")]) }
    }

    /// Files of the folder that are passed over, a line each.
    var unread: [String] {
        do { return try directory.unread() } catch { return ["\(error)"] }
    }

    /// Brings the folder to what is in force: all of it, or nothing. Nothing waits to be confirmed then.
    private func store(_ put: [PolicyDirectory.File], _ removed: [String]) throws {
        let before = try directory.read()
        do {
            for file in put { try directory.write(file) }
            for name in removed { try directory.remove(name) }
            try forgetUnconfirmed()
        } catch {
            for name in put.map(\.name) + removed {
                if let file = before.first(where: { $0.name == name }) { try directory.write(file) } else { try directory.remove(name) }
            }
            throw error
        }
    }

    /// The file that holds a rule and no other.
    /// - Parameter kind: that it has to be of.
    private func fileOf(_ rule: String, _ kind: RuleKind?, _ files: [String: [UInt8]]) throws -> String {
        // All of them together: a filter of one file may name a set of another.
        let all = try PolicyFile.parse(files.sorted { $0.key < $1.key }.map { .init(name: $0.key, bytes: $0.value) })
        guard let name = all.places[rule]?.file else {
            throw AgentFailure(
                "remove rule \(rule.visible)", "there is no such rule", hint: "nilo mirror, nilo sample and nilo shape list them")
        }
        if let kind, let its = all.policy.kind(of: rule), its != kind {
            throw AgentFailure(
                "remove rule \(rule)", "it is a \(its.rawValue) rule, not a \(kind.rawValue) rule",
                hint: "nilo \(its.rawValue) remove \(rule)")
        }
        let bystanders = all.places.count { $0.value.file == name } - 1
        // Sets and capacities would go with it as silently.
        let rest = try? PolicyFile.parse(
            files.filter { $0.key != name }.sorted { $0.key < $1.key }.map { .init(name: $0.key, bytes: $0.value) })
        let isAlone = rest.map { $0.policy.links == all.policy.links && $0.policy.prefixSets == all.policy.prefixSets } ?? false
        guard bystanders == 0, isAlone else {
            throw AgentFailure(
                "remove rule \(rule.visible)", "it stands with others in \(directory.path)/\(name)", hint: "edit the file, then: nilo apply"
            )
        }
        return name
    }

    func confirm() throws {
        guard let held = pending else {
            throw AgentFailure("confirm the policy", "nothing waits to be confirmed" + (lapse.map { ": \($0)" } ?? ""))
        }
        // Somebody's work is neither overwritten nor taken for what is in force.
        let edited = UnconfirmedPolicy.difference(held.found, try folder()).filter(held.changed.contains)
        guard edited.isEmpty else {
            throw AgentFailure(
                "confirm the policy",
                "\(edited.joined(separator: ", ")) in \(directory.path) " + (edited.count == 1 ? "has" : "have") + " changed since",
                hint: "bring back what was there and confirm then, or wait until the change is taken back and apply anew")
        }
        try store(held.put, held.remove)
        pending = nil
    }

    // MARK: Keeping

    /// Looks whether the kernel still is as the policy says, and mends it. Once a second, and when netlink tells of a change.
    func turn(now: Timestamp) {
        // Its timer stands still while the machine sleeps.
        takeBack()
        // Netlink tells of most changes at once; looking is for what it lost, and costs some dumps.
        turns += 1
        if turns % 5 == 0 {
            do { try shapes.forgetLost() } catch { log.warning("replaced qdiscs not looked at", ["reason": LogValue("\(error)")]) }
        }
        if turns % 5 == 0 || known != Set(interfaces.map(\.id)) { synchronise() }
        followNeighbours(asks: true)
        samples.turn(now: now)
    }
    private var turns = 0

    /// - Parameter asks: those who do not answer, and those who have not for a while, are asked.
    func followNeighbours(asks: Bool) {
        do { try mirrors.followNeighbours(asks: asks) } catch {
            log.warning("nexthops of collectors not looked at", ["reason": LogValue("\(error)")])
        }
    }

    /// Brings the earlier policy back when nobody has confirmed the change in time.
    func takeBack() {
        guard let held = pending, ContinuousClock.now >= held.until else { return }
        pending = nil
        // Also when it fails now: from here on that is what is kept.
        (policy, places, accepted) = (held.before, held.placesBefore, held.acceptedBefore)
        files = accepted.keys.sorted()
        do {
            try carryOut(try plan(policy, mayReplace: false))
            ended(unconfirmed?.changed ?? [], "the time for it was over, and the change was taken back")
        } catch { log.error("policy not taken back", ["reason": LogValue("\(error)")]) }
        settleUnconfirmed()
    }

    /// Nothing is asked for, and nothing of ours is there that was.
    private var isIdle: Bool {
        policy.mirrors.isEmpty && policy.samplers.isEmpty && policy.shapers.isEmpty && program == .empty && book.tenants.isEmpty
            && shapes.tables.all.isEmpty
    }

    /// - Parameter isOurs: what is found to differ follows from a change of our own view (an interface came or went), and is no drift.
    func synchronise(isOurs: Bool = false) {
        guard isInForce, !isIdle else { return }
        do {
            let plan = try plan(policy, mayReplace: false)
            guard !plan.steps.isEmpty else {
                (refusals, waiting) = (plan.refusals, plan.waiting.sorted())
                lastComplaint = ""
                return
            }
            let follows = (isOurs || known != Set(interfaces.map(\.id))) && !plan.steps.contains(where: \.isRepair)
            try carryOut(plan)
            lastComplaint = ""
            let steps = plan.steps.flatMap(\.reports).map { $0.command ?? $0.what }
            if follows {
                log.info("policy follows", ["steps": LogValue(steps.prefix(8).joined(separator: "; "))])
            } else if !steps.isEmpty {
                repaired += 1
                log.warning("policy repaired", ["steps": LogValue(steps.prefix(8).joined(separator: "; "))])
            }
        } catch {
            let complaint = "\(error)"
            if complaint != lastComplaint { log.error("policy not kept", ["reason": LogValue(complaint)]) }
            lastComplaint = complaint
        }
    }
    /// Takes away all that rules have made outside the maps.
    func withdraw() {
        for actuator in actuators {
            do { try actuator.withdraw() } catch { log.error("policy not withdrawn", ["reason": LogValue("\(error)")]) }
        }
    }
}
