import Configuration
import Datapath
import Netlink
import NetworkTypes
import Policy
import Reports

/// Makes the datapath mirror as the policy says: sessions, and the mirror port of each namespace whose copies have to be changed.
final class MirrorActuator: RuleActuator {
    let tables: MirrorTables
    let book: RuleBook
    let follower: InterfaceFollower
    let ports: MirrorPorts
    let vxlanPorts: [UInt16]
    /// Sessions as they were installed or found, for the report.
    var sessions: [RuleBook.Place: MirrorSession] = [:]
    /// What rules in force copy to, of sessions to files more than the kernel knows; none of what an earlier agent left.
    private var targets: [RuleBook.Place: MirrorRule.Target] = [:]

    init(_ datapath: Datapath, _ book: RuleBook, _ follower: InterfaceFollower, vxlanPorts: [UInt16]) throws {
        tables = try MirrorTables(maps: datapath.maps)
        ports = MirrorPorts(datapath, follower)
        self.book = book
        self.follower = follower
        self.vxlanPorts = vxlanPorts
        // Of an agent that was killed: their clients are gone. Their places are free once no program names them.
        for (place, tenant) in book.tenants where place.kind == .mirror && MirrorRule.isCapture(named: tenant.name) {
            try tables.remove(Int(place.index))
        }
    }

    /// A rule in one namespace that has no place yet.
    private struct Candidate {
        var rule: MirrorRule
        var tenant: RuleBook.Tenant
        var interfaces: [CountedInterface]
        var namespace: FollowedNamespace
    }

    /// A rule in one namespace, on its way to a session.
    private struct Part {
        var rule: MirrorRule
        var place: RuleBook.Place
        var tenant: RuleBook.Tenant
        var interfaces: [CountedInterface]
        var namespace: FollowedNamespace
        var session: MirrorSession
        var needsPort: Bool
    }

    func prepare(_ policy: Policy, _ resolution: PolicyResolution, _ plan: inout PolicyPlan) throws -> ActuatorPlan {
        var result = ActuatorPlan()
        var parts: [Part] = []
        var taken: Set<RuleBook.Place> = []
        var candidates: [Candidate] = []
        for rule in policy.mirrors {
            var members = resolution.interfaces(of: rule.scope, for: rule.name, &plan)
            // Nothing is copied from an interface to itself.
            if case .interface(let target) = rule.target { members.removeAll { $0.name == target } }
            for (cookie, interfaces) in Dictionary(grouping: members, by: \.namespaceCookie).sorted(by: { $0.key < $1.key }) {
                let tenant = RuleBook.Tenant(name: rule.name, part: cookie)
                guard let namespace = follower.namespaces.values.first(where: { $0.namespace.cookie == cookie }) else { continue }
                candidates.append(Candidate(rule: rule, tenant: tenant, interfaces: interfaces, namespace: namespace))
            }
        }
        let staying = Set(candidates.map(\.tenant))
        let leaving = Set(book.tenants.filter { $0.key.kind == .mirror && !staying.contains($0.value) }.keys)
        for candidate in candidates {
            let (rule, tenant) = (candidate.rule, candidate.tenant)
            let place: RuleBook.Place
            switch self.place(for: rule, tenant, besides: parts, leaving: leaving) {
            case .success(let free): place = free
            case .failure(let refusal):
                plan.refusals.append(refusal)
                continue
            }
            do {
                // One that is in force goes on trying, and says what keeps it from writing.
                let isNew = book.tenants[place] != tenant || targets[place].map { $0 != rule.target } ?? false
                if isNew, case .file(let file) = rule.target { try Self.check(file, of: rule.name) }
                let (session, needsPort) = try resolve(rule, candidate.interfaces, candidate.namespace)
                if needsPort { try ports.check(in: candidate.namespace, for: rule.name) }
                taken.insert(place)
                parts.append(
                    Part(
                        rule: rule, place: place, tenant: tenant, interfaces: candidate.interfaces, namespace: candidate.namespace,
                        session: session, needsPort: needsPort))
            } catch let refusal as PlanReport.Refusal { plan.refusals.append(refusal) }
        }
        rank(&parts)
        for index in parts.indices where parts[index].needsPort {
            if let found = try parts[index].namespace.socket.mirrorPort() { parts[index].session.port = UInt32(found.out) }
        }
        let served = parts.filter(\.needsPort)
        try ports.add(to: served.map { ($0.namespace, $0.rule.name) }, &result)
        for part in parts {
            guard let step = try step(for: part) else { continue }
            if leaving.contains(part.place), let old = book.tenants[part.place] {
                result.exchanges += [remove(part.place, old), step]
                result.exchanged.insert(Int(part.place.index))
            } else {
                result.before.append(step)
            }
        }
        result.after = book.tenants.filter { $0.key.kind == .mirror && !taken.contains($0.key) }.map { remove($0.key, $0.value) }
        try ports.remove(besides: served.map(\.namespace), &result)
        result.expectedRules = parts.map { part in
            KernelRule(
                name: part.rule.name, kind: .mirror, index: Int(part.place.index), scope: part.rule.scope,
                interfaces: Set(part.interfaces.map(\.id)), priority: part.rule.priority)
        }
        let rules = result.expectedRules
        result.rules = { rules }
        return result
    }

    // MARK: Sessions

    /// So many sessions at a time may be captures': the rest is for the rules of the policy.
    static let mostCaptures = 8

    /// - Parameter leaving: places of sessions that are to go; given away when there are no others.
    private func place(
        for rule: MirrorRule, _ tenant: RuleBook.Tenant, besides parts: [Part], leaving: Set<RuleBook.Place>
    ) -> Result<RuleBook.Place, PlanReport.Refusal> {
        let each = "a rule or capture counts once for each namespace it applies in"
        let captures = parts.filter { $0.rule.isCapture }.map(\.rule.name)
        if rule.isCapture, captures.count >= Self.mostCaptures {
            return .failure(
                .init(
                    rule: rule.name,
                    reason: "\(Self.mostCaptures) of the \(RuleKind.mirror.kernelIndices.count) mirror sessions are the most for captures",
                    hint: "running: \(Self.counted(captures)); \(each)"))
        }
        let given = Set(parts.map(\.place))
        if let free = book.place(of: tenant, .mirror, besides: given) { return .success(free) }
        if let exchanged = leaving.subtracting(given).min(by: { $0.index < $1.index }) { return .success(exchanged) }
        let kept = book.tenants.filter { $0.key.kind == .mirror && !leaving.contains($0.key) }
        let holders = Set(kept.values).union(parts.map(\.tenant)).map(\.name)
        return .failure(
            .init(
                rule: rule.name, reason: "all \(RuleKind.mirror.kernelIndices.count) mirror sessions are taken",
                hint: "held by \(Self.counted(holders)); \(each)"))
    }

    /// `a, b (3), capture:1`: names, with how often they occur.
    private static func counted(_ names: [String]) -> String {
        Dictionary(grouping: names, by: { $0 }).sorted { $0.key < $1.key }
            .map { $1.count == 1 ? $0.visible : "\($0.visible) (\($1.count))" }.joined(separator: ", ")
    }

    /// Of two sessions of a namespace with one destination, the one of the higher priority sends.
    private func rank(_ parts: inout [Part]) {
        for index in parts.indices {
            for (otherIndex, other) in parts.enumerated()
            where otherIndex != index && other.tenant.part == parts[index].tenant.part && other.rule.target == parts[index].rule.target {
                let (mine, theirs) = (parts[index].rule.priority, other.rule.priority)
                if theirs > mine || theirs == mine && otherIndex < index {
                    parts[index].session.outrankedBy |= 1 << UInt32(other.place.index)
                }
            }
        }
    }

    private func step(for part: Part) throws -> PolicyStep? {
        let (place, tenant, session, number) = (part.place, part.tenant, part.session, Int(part.place.index))
        let isThere = try book.tenants[place] == tenant && tables.isInstalled(number)
        let before = sessions[place]
        let (target, targetBefore) = (part.rule.target, targets[place])
        let isHeld = try isThere && tables.holds(session, at: number)
        if isHeld, targetBefore == nil || targetBefore == target {
            sessions[place] = session
            targets[place] = target
            return nil
        }
        if isThere, targetBefore == nil || targetBefore == target,
            let step = try obstacleStep(session, place, before, target)
        {
            return step
        }
        var what = "mirror \(part.interfaces.map(\.fullName).joined(separator: ", ")) to \(MirrorActuator.text(part.rule.target))"
        // Whether the nexthop answers is asked when it matters.
        if let obstacle = session.obstacle, obstacle != .noNeighbour { what += " (\(MirrorActuator.text(obstacle)))" }
        return PolicyStep(
            PlanReport.Step(isThere ? .change : .add, rule: part.rule.name, what),
            apply: { [self] in
                try book.remember(tenant, at: place)
                var session = session
                if part.needsPort { session.port = try ports.number(in: part.namespace) }
                // Before it is in force: the kernel would lose what comes while it asks.
                try resolveNexthop(of: &session, in: part.namespace)
                // The file is ours to change: the kernel knows of none.
                if isThere {
                    if !isHeld { try tables.replace(session, at: number) }
                } else {
                    try tables.install(session, at: number)
                }
                sessions[place] = session
                targets[place] = target
            },
            undo: { [self] in
                sessions[place] = before
                targets[place] = targetBefore
                if isThere {
                    if !isHeld, let before { try tables.replace(before, at: number) }
                } else {
                    try tables.remove(number)
                    try book.forget(place)
                }
            })
    }

    /// A nexthop answers, or does so no more: no change of what is wanted, and nobody's doing.
    private func obstacleStep(
        _ session: MirrorSession, _ place: RuleBook.Place, _ before: MirrorSession?, _ target: MirrorRule.Target
    ) throws -> PolicyStep? {
        let number = Int(place.index)
        let ofNeighbours: [MirrorSession.Obstacle?] = [nil, .noNeighbour]
        guard ofNeighbours.contains(session.obstacle), ofNeighbours.contains(before?.obstacle),
            try tables.holds(session, at: number, besidesObstacle: true)
        else { return nil }
        let targetBefore = targets[place]
        return PolicyStep(
            [],
            apply: { [self] in
                try tables.set(session.obstacle, at: number)
                sessions[place] = session
                targets[place] = target
            },
            undo: { [self] in
                try tables.set(before?.obstacle, at: number)
                sessions[place] = before
                targets[place] = targetBefore
            })
    }

    private func remove(_ place: RuleBook.Place, _ tenant: RuleBook.Tenant) -> PolicyStep {
        let (session, target) = (sessions[place], targets[place])
        return PolicyStep(
            PlanReport.Step(.remove, rule: tenant.name, "mirror session"),
            apply: { [self] in
                try tables.remove(Int(place.index))
                try book.forget(place)
                sessions[place] = nil
                targets[place] = nil
            },
            undo: { [self] in
                guard let session else { return }
                try book.remember(tenant, at: place)
                try tables.install(session, at: Int(place.index))
                sessions[place] = session
                targets[place] = target
            })
    }

    private static func check(_ file: MirrorRule.CaptureFile, of rule: String) throws(PlanReport.Refusal) {
        guard let obstacle = CaptureTarget.obstacle(of: file.path) else { return }
        throw PlanReport.Refusal(rule: rule, reason: "to.file.path: \"\(file.path.visible)\": \(obstacle.reason)", hint: obstacle.hint)
    }

    func withdraw() throws { try ports.withdraw() }
}

extension MirrorRule {
    /// A session for a client of ours, which no file says.
    var isCapture: Bool { if case .client = target { true } else { false } }

    /// No name of a policy has a colon.
    static func captureName(_ number: UInt32) -> String { "capture:\(number)" }
    static func isCapture(named name: String) -> Bool { name.hasPrefix("capture:") }
}
