import Configuration
import Datapath
import Flows
import Logging
import Netlink
import NetworkTypes
import Policy
import Reports

/// Makes the kernel shape as the policy says: the datapath's rules and buckets, and the classes of interfaces that need any.
final class ShapeActuator: RuleActuator {
    let tables: ShapeTables
    private let datapath: Datapath
    private let follower: InterfaceFollower
    let replaced: ReplacedQdiscs
    /// Kinds of qdiscs that the kernel has; asked once.
    private let qdiscs: Set<String>
    /// Class and member numbers in force.
    private var numbers: [InterfaceID: ShapeNumbers] = [:]
    private var inForce: [ShaperName: Shaper] = [:]
    /// Of interfaces whose classes are ours.
    private var locks: [InterfaceID: NamespaceLock] = [:]
    /// An agent that is just ending is gone in a moment.
    private static let patience = Duration.milliseconds(100)
    /// Interfaces that no rule shapes and that were found without anything of ours.
    private var looked: Set<InterfaceID> = []
    /// Where a root qdisc of others stands in the place of ours, and how often one was found there.
    private(set) var displaced: [InterfaceID: Displacement] = [:]
    private(set) var displacements = 0
    /// What was decided for each rule in force, for the report.
    private(set) var decisions: [ShaperName: ShapePlan.Decision] = [:]

    init(_ datapath: Datapath, _ follower: InterfaceFollower, replaced: ReplacedQdiscs, qdiscs: Set<String>) throws {
        tables = try ShapeTables(maps: datapath.maps)
        self.datapath = datapath
        self.follower = follower
        self.replaced = replaced
        self.qdiscs = qdiscs
    }

    /// One interface on its way to its classes.
    private struct Site {
        var interface: CountedInterface
        var namespace: FollowedNamespace
        var root: RootQdisc
        var plan: ShapePlan
    }

    func prepare(_ policy: Policy, _ resolution: PolicyResolution, _ plan: inout PolicyPlan) throws -> ActuatorPlan {
        var rules: [InterfaceID: [ShapeRule]] = [:]
        for rule in policy.shapers {
            for interface in resolution.interfaces(of: rule.scope, for: rule.name, &plan) { rules[interface.id, default: []].append(rule) }
        }
        var result = ActuatorPlan()
        var sites: [Site] = []
        for var interface in resolution.interfaces {
            guard let namespace = follower.place(of: interface.id)?.namespace else { continue }
            let shaped = rules[interface.id] ?? []
            // Of an interface that no rule is about only what an earlier agent left is of interest, once.
            guard !shaped.isEmpty || numbers[interface.id] != nil || !looked.contains(interface.id) else { continue }
            var root = try namespace.socket.rootQdisc(of: interface.ifindex)
            if case .ours = root, let occupant = try occupant(of: interface, in: namespace) {
                // Where no rule of ours is about the interface it is none of our business.
                if shaped.isEmpty { continue }
                root = .foreign(kind: "htb", recipe: nil, reason: "another agent has it: \(occupant)")
            }
            interface.address = try namespace.socket.link(interface.ifindex)?.address ?? []
            if shaped.isEmpty, !leavesTraces(root, interface) {
                looked.insert(interface.id)
                continue
            }
            let made = try make(shaped, interface, namespace, root, policy, resolution)
            if case .foreign(let kind, _, _) = root, made.tree == nil {
                plan.displaced[interface.id] = displacement(of: interface, by: kind, among: shaped)
            }
            plan.remarks += made.notes.map { note in
                // One that begins with the interface tells by itself which it is.
                note.hasPrefix("\(interface.name) ")
                    ? interface.fullName + note.dropFirst(interface.name.count) : "\(interface.fullName): \(note)"
            }
            plan.refusals += made.refusals.map {
                .init(rule: $0.rule, reason: "\(interface.fullName): \($0.reason)", hint: $0.hint.isEmpty ? nil : $0.hint)
            }
            sites.append(Site(interface: interface, namespace: namespace, root: root, plan: made))
        }
        for lock in locks.values { lock.drain() }
        for site in sites {
            addLockSteps(site, &result)
            addQdiscSteps(site, &result)
        }
        for site in try strays() { addQdiscSteps(site, &result) }
        addDatapathSteps(sites, policy, &result)
        return result
    }

    /// Another agent whose the classes of an interface are, in words; nil: they are ours, or could be.
    private func occupant(of interface: CountedInterface, in namespace: FollowedNamespace) throws -> String? {
        guard locks[interface.id] == nil else { return nil }
        return try NamespaceLock.occupant(of: .classes(UInt32(interface.ifindex)), in: namespace.namespace, patience: Self.patience)
    }

    /// Has the classes of an interface, from when there are some until there are none.
    private func addLockSteps(_ site: Site, _ result: inout ActuatorPlan) {
        let (id, index, namespace) = (site.interface.id, UInt32(site.interface.ifindex), site.namespace.namespace)
        if site.plan.tree != nil, locks[id] == nil {
            var step = PolicyStep(
                [], apply: { [self] in locks[id] = try NamespaceLock(.classes(index), in: namespace, patience: Self.patience) },
                undo: { [self] in locks[id] = nil })
            step.rules = Set(site.plan.decisions.filter { $0.mechanism == .htb }.map(\.rule))
            result.before.append(step)
        } else if site.plan.tree == nil, let held = locks[id] {
            result.after.append(PolicyStep([], apply: { [self] in locks[id] = nil }, undo: { [self] in locks[id] = held }))
        }
    }

    /// A foreign root qdisc stands where rules had classes; nil: none had.
    private func displacement(of interface: CountedInterface, by kind: String, among rules: [ShapeRule]) -> Displacement? {
        let queued = decisions.filter { name, decision in
            guard name.interface == interface.id, case .htb = decision.shaper.action else { return false }
            return true
        }
        // Once it is known it lasts until the other one goes.
        let names = Set(queued.map(\.key.rule)).union(displaced[interface.id]?.rules ?? []).intersection(rules.map(\.name))
        return names.isEmpty ? nil : Displacement(interface: interface.fullName, kind: kind, rules: names.sorted())
    }

    /// What a plan found that was carried out, or that needed nothing to be done.
    /// - Returns: what was not so before.
    func note(_ found: [InterfaceID: Displacement]) -> [Displacement] {
        let new = found.filter { displaced[$0.key]?.kind != $0.value.kind }.map(\.value)
        displaced = found
        displacements += new.count
        return new
    }

    /// Is there anything of ours on an interface that no rule shapes? Also a foreign qdisc that an agent did not come to put back.
    private func leavesTraces(_ root: RootQdisc, _ interface: CountedInterface) -> Bool {
        switch root {
        case .ours: true
        case .kernelDefault: replaced.recipe(of: interface) != nil
        case .foreign: replaced.recipe(of: interface) != nil
        }
    }

    /// Interfaces that were counted and are not any more, with a root qdisc of ours still.
    private func strays() throws -> [Site] {
        var sites: [Site] = []
        for namespace in follower.namespaces.values {
            let shaped = Set(
                try namespace.socket.qdiscs().filter(\.isRoot).filter { $0.handle >> 16 == UInt32(HTBTree.major) }.map(\.interface))
            for index in shaped where namespace.attached[index] == nil {
                let before = datapath.allInterfaces.last { $0.namespaceCookie == namespace.namespace.cookie && $0.ifindex == UInt32(index) }
                guard let before, case .ours(let tree) = try namespace.socket.rootQdisc(of: index) else { continue }
                let interface = CountedInterface(
                    id: before.id, name: before.name, ifindex: index, namespaceCookie: before.namespaceCookie, namespace: namespace.owner,
                    address: try namespace.socket.link(index)?.address ?? [])
                guard try occupant(of: interface, in: namespace) == nil else { continue }
                sites.append(Site(interface: interface, namespace: namespace, root: .ours(tree), plan: ShapePlan()))
            }
        }
        return sites
    }

    private func make(
        _ rules: [ShapeRule], _ interface: CountedInterface, _ namespace: FollowedNamespace, _ root: RootQdisc, _ policy: Policy,
        _ resolution: PolicyResolution
    ) throws -> ShapePlan {
        var site = ShapeSite(interface: interface.name, qdiscs: qdiscs, mayReplace: resolution.mayReplace)
        if let link = try namespace.socket.link(interface.ifindex) { site.largestFrame = Int(link.mtu) + (link.isLayer3 ? 0 : 14) }
        site.capacity = policy.links.first { $0.interface == interface.name }?.capacity
        switch root {
        case .kernelDefault(let kind): site.root = .kernelDefault(kind)
        case .ours: site.root = .ours
        case .foreign(let kind, let recipe, let reason):
            let unwritten = replaced.problem.map { "\($0.what): \($0.why)" }
            site.root = .foreign(kind, irreplaceable: recipe == nil ? reason : unwritten)
        }
        return ShapePlan.make(rules, on: site, after: numbers[interface.id] ?? ShapeNumbers())
    }

    // MARK: Classes

    private func addQdiscSteps(_ site: Site, _ result: inout ActuatorPlan) {
        let (interface, namespace) = (site.interface, site.namespace)
        var observed: HTBTree?
        var recipe: QdiscRecipe?
        switch site.root {
        case .ours(let tree): observed = tree
        case .foreign(_, let found, _) where site.plan.tree != nil: recipe = found
        case .foreign, .kernelDefault: break
        }
        var restoring = site.plan.tree == nil ? replaced.recipe(of: interface) : nil
        if case .foreign(let kind, _, _) = site.root {
            // Somebody has put another one there: what was kept of the earlier one is of no use any more.
            if site.plan.tree == nil, let old = restoring {
                let what = "what was kept of the \(old.kind) qdisc of \(interface.fullName): a \(kind) of others stands there"
                result.after.append(
                    PolicyStep(
                        PlanReport.Step(.remove, what), apply: { [replaced] in try replaced.forget(interface) },
                        undo: { [replaced] in try replaced.remember(old, of: interface) }))
            }
            restoring = nil
        }
        let changes = QdiscChange.changes(from: observed, to: site.plan.tree, replacing: recipe, restoring: restoring)
        let removals = changes.reversed().prefix { change in
            switch change {
            case .removeRoot, .removeClass, .restoreForeign: true
            case .addRoot, .removeForeign, .addClass, .changeClass: false
            }
        }.count
        let before = Array(changes.dropLast(removals))
        let after = Array(changes.suffix(removals))
        let rules = Set(site.plan.decisions.filter { $0.mechanism == .htb }.map(\.rule))
        if !before.isEmpty {
            var made = step(
                before, interface, namespace,
                first: { [replaced] in if let recipe { try replaced.remember(recipe, of: interface) } }, last: {},
                // It is back in its place: remembered any longer it would be put back where it does not belong.
                undone: { [replaced] in if recipe != nil { try replaced.forget(interface) } })
            made.rules = rules
            result.before.append(made)
        }
        if !after.isEmpty {
            result.after.append(
                step(
                    after, interface, namespace, first: {},
                    last: { [replaced] in if restoring != nil { try replaced.forget(interface) } },
                    undone: { [replaced] in if let restoring { try replaced.remember(restoring, of: interface) } }))
        }
    }

    /// - Parameters:
    ///   - first: what is written down before the changes.
    ///   - last: what is written down after them.
    ///   - undone: what is written down when they have been taken back, or did not come about.
    private func step(
        _ changes: [QdiscChange], _ interface: CountedInterface, _ namespace: FollowedNamespace, first: @escaping () throws -> Void,
        last: @escaping () throws -> Void, undone: @escaping () throws -> Void
    ) -> PolicyStep {
        let reports = changes.map { change -> PlanReport.Step in
            let sign: PlanReport.Step.Sign =
                switch change {
                case .addRoot, .addClass, .restoreForeign: .add
                case .changeClass: .change
                case .removeRoot, .removeForeign, .removeClass: .remove
                }
            return PlanReport.Step(
                sign, Self.text(change, interface), command: change.command(on: interface.name), reason: change.reason)
        }
        return PolicyStep(
            reports,
            apply: {
                try first()
                do { try Self.carryOut(changes, interface, namespace) } catch {
                    try undone()
                    throw error
                }
                try last()
            },
            undo: {
                try Self.carryOut(changes.reversed().flatMap(\.undo), interface, namespace)
                try undone()
            })
    }

    /// Refusals tell the interface by its name, so that their commands can be typed.
    private static func carryOut(_ changes: [QdiscChange], _ interface: CountedInterface, _ namespace: FollowedNamespace) throws {
        do throws(NetlinkError) { try namespace.socket.apply(changes, to: interface.ifindex) } catch {
            var named = error
            named.operation.replace("dev link \(interface.ifindex) ", with: "dev \(interface.name) ")
            throw named
        }
    }

    private static func text(_ change: QdiscChange, _ interface: CountedInterface) -> String {
        switch change {
        case .addRoot, .removeRoot: "htb qdisc on \(interface.fullName)"
        case .removeForeign(let recipe), .restoreForeign(let recipe): "\(recipe.kind) qdisc of others on \(interface.fullName)"
        case .addClass(let one), .changeClass(let one, _), .removeClass(let one):
            "class \(String(HTBTree.major, radix: 16)):\(String(one.minor, radix: 16)) on \(interface.fullName)"
        }
    }

    // MARK: The datapath's rules

    private func addDatapathSteps(_ sites: [Site], _ policy: Policy, _ result: inout ActuatorPlan) {
        var wanted: [ShaperName: Shaper] = [:]
        var decided: [(name: ShaperName, decision: ShapePlan.Decision)] = []
        for site in sites {
            for decision in site.plan.decisions {
                let name = ShaperName(decision.rule, on: site.interface.id, decision.direction)
                wanted[name] = decision.shaper
                decided.append((name, decision))
            }
        }
        let (before, numbersBefore, decisionsBefore) = (inForce, numbers, decisions)
        let newNumbers = Dictionary(sites.map { ($0.interface.id, $0.plan.numbers) }, uniquingKeysWith: { first, _ in first })
        let newDecisions = Dictionary(decided, uniquingKeysWith: { first, _ in first })
        if wanted != before {
            let reports = wanted.compactMap { name, shaper -> PlanReport.Step? in
                guard before[name] != shaper, let decision = newDecisions[name] else { return nil }
                let old = decisionsBefore[name]
                let by = decision.mechanism == .auto ? "" : " by \(decision.mechanism.rawValue)"
                return PlanReport.Step(
                    before[name] == nil ? .add : .change, rule: name.rule, "shape \(name.direction)\(by): \(decision.reason)",
                    reason: old.flatMap { $0.mechanism == decision.mechanism ? nil : "until now: \($0.reason)" })
            }
            let gone = before.keys.filter { wanted[$0] == nil }.map { PlanReport.Step(.remove, rule: $0.rule, "shape \($0.direction)") }
            result.before.append(
                PolicyStep(
                    (reports + gone).sorted { ($0.rule ?? "") < ($1.rule ?? "") },
                    apply: { [self] in
                        _ = try tables.apply(wanted)
                        (inForce, numbers, decisions) = (wanted, newNumbers, newDecisions)
                    },
                    undo: { [self] in
                        (inForce, numbers, decisions) = (before, numbersBefore, decisionsBefore)
                        _ = try tables.apply(before)
                    }))
            // No program names the rules that are left out any more: what they held is free.
            result.after.append(PolicyStep([], apply: { [self] in try tables.retire() }, undo: {}))
        } else if !tables.earlier.isEmpty {
            // None is wanted, and none of ours was there: only an earlier agent's are to go.
            let reports = tables.earlier.map { PlanReport.Step(.remove, "shaping rule \($0.number) of an earlier agent") }
            result.after.append(PolicyStep(reports, apply: { [self] in try tables.retire() }, undo: {}))
        }
        let scopes = Dictionary(policy.shapers.map { ($0.name, $0.scope) }, uniquingKeysWith: { first, _ in first })
        func rules(_ numbers: [ShaperName: UInt16]) -> [KernelRule] {
            decided.compactMap { name, _ in
                guard let number = numbers[name], var scope = scopes[name.rule] else { return nil }
                scope.direction = name.direction
                return KernelRule(name: name.rule, kind: .shaper, index: Int(number), scope: scope, interfaces: [name.interface])
            }
        }
        result.rules = { [tables] in rules(tables.all) }
        var expected = tables.all.filter { wanted[$0.key] != nil }
        var free = (1..<UInt16(ShapeTables.ruleLimit + 1)).lazy.filter { number in !self.tables.all.values.contains(number) }.makeIterator()
        for (name, _) in decided where expected[name] == nil { expected[name] = free.next() }
        result.expectedRules = rules(expected)
    }

    /// Told of a foreign qdisc that cannot come back: its interface has gone.
    var onLost: (ReplacedQdiscs.Entry) -> Void = { _ in }

    /// Forgets foreign qdiscs whose interface has gone, also when another has its number now.
    func forgetLost() throws {
        for entry in replaced.entries {
            guard let namespace = follower.namespaces.values.first(where: { $0.namespace.cookie == entry.namespaceCookie }) else {
                continue
            }
            if let link = try namespace.socket.link(entry.ifindex), entry.means(name: link.name, address: link.address) { continue }
            try replaced.forget(entry)
            onLost(entry)
        }
    }

    /// Forgets foreign qdiscs that have nothing to come back to, or that are back: the agent was killed before it could write that down.
    func settle() throws {
        replaced.retry()
        try forgetLost()
        for entry in replaced.entries {
            guard let namespace = follower.namespaces.values.first(where: { $0.namespace.cookie == entry.namespaceCookie }) else {
                continue
            }
            if case .foreign = try namespace.socket.rootQdisc(of: entry.ifindex) { try replaced.forget(entry) }
        }
    }

    func withdraw() throws {
        var failure: (any Error)?
        for namespace in follower.namespaces.values {
            for (index, id) in namespace.attached {
                do { try withdraw(id, index, namespace) } catch { failure = failure ?? error }
            }
        }
        do { try forgetLost() } catch { failure = failure ?? error }
        if let failure { throw failure }
    }

    private func withdraw(_ id: InterfaceID, _ index: Int32, _ namespace: FollowedNamespace) throws {
        let link = try namespace.socket.link(index)
        let interface = CountedInterface(
            id: id, name: link?.name ?? "", ifindex: index, namespaceCookie: namespace.namespace.cookie, namespace: namespace.owner,
            address: link?.address ?? [])
        let root = try namespace.socket.rootQdisc(of: index)
        guard leavesTraces(root, interface) else { return }
        var tree: HTBTree?
        if case .ours(let found) = root { tree = found }
        let recipe = replaced.recipe(of: interface)
        try namespace.socket.apply(QdiscChange.changes(from: tree, to: nil, restoring: recipe), to: index)
        if recipe != nil { try replaced.forget(interface) }
    }
}
