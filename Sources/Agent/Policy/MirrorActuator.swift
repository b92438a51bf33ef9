import Configuration
import Datapath
import Netlink
import NetworkTypes
import Policy
import Reports

/// Makes the datapath mirror as the policy says: sessions, and the mirror port of each namespace whose copies have to be changed.
final class MirrorActuator: RuleActuator {
    let tables: MirrorTables
    private let book: RuleBook
    private let follower: InterfaceFollower
    private let datapath: Datapath
    private let vxlanPorts: [UInt16]
    private lazy var program = Result { try MirrorPortProgram(maps: datapath.maps) }
    /// Sessions as they were installed or found, for the report.
    private(set) var sessions: [RuleBook.Place: MirrorSession] = [:]
    /// What rules in force copy to, of sessions to files more than the kernel knows; none of what an earlier agent left.
    private var targets: [RuleBook.Place: MirrorRule.Target] = [:]

    init(_ datapath: Datapath, _ book: RuleBook, _ follower: InterfaceFollower, vxlanPorts: [UInt16]) throws {
        tables = try MirrorTables(maps: datapath.maps)
        self.datapath = datapath
        self.book = book
        self.follower = follower
        self.vxlanPorts = vxlanPorts
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
                if needsPort { try Self.checkPort(in: candidate.namespace, for: rule.name) }
                taken.insert(place)
                parts.append(
                    Part(
                        rule: rule, place: place, tenant: tenant, interfaces: candidate.interfaces, namespace: candidate.namespace,
                        session: session, needsPort: needsPort))
            } catch let refusal as PlanReport.Refusal { plan.refusals.append(refusal) }
        }
        rank(&parts)
        try addPorts(&parts, &result)
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
        try removePorts(besides: parts, &result)
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

    private func resolve(_ rule: MirrorRule, _ interfaces: [CountedInterface], _ namespace: FollowedNamespace) throws -> (
        MirrorSession, needsPort: Bool
    ) {
        var target: MirrorSession.Target
        var obstacle: MirrorSession.Obstacle?
        var needsPort = rule.snapLength != nil || rule.segmentation == .wire
        switch rule.target {
        case .interface(let name):
            let links = try namespace.socket.links()
            if let link = links.first(where: { $0.name == name }) {
                target = .interface(UInt32(link.index), mtu: Int(link.mtu))
                if !link.flags.contains(.up) { obstacle = .targetDown }
                let sources = links.filter { link in interfaces.contains { $0.ifindex == link.index } }
                if sources.contains(where: { $0.mtu > link.mtu }) { needsPort = true }
            } else {
                (target, obstacle) = (.interface(0, mtu: 1500), .targetGone)
            }
        case .vxlan(let collector):
            guard vxlanPorts.contains(collector.port) else {
                throw PlanReport.Refusal(
                    rule: rule.name,
                    reason: "to.vxlan.port: \(collector.port) is not known as a port of VXLAN, so copies would be copied again",
                    hint: "agent.yaml names them in datapath.vxlan-ports: \(vxlanPorts.map(String.init).joined(separator: ", "))")
            }
            needsPort = true
            (target, obstacle) = try tunnel(
                .vxlan(vni: collector.vni, port: collector.port), to: collector.remote, from: collector.local, namespace)
        case .erspan(let collector):
            needsPort = true
            (target, obstacle) = try tunnel(.erspan(session: collector.session), to: collector.remote, from: collector.local, namespace)
        case .file, .client: (target, needsPort) = (.ring, false)
        }
        let session = MirrorSession(
            namespaceCookie: namespace.namespace.cookie, target: target, selection: rule.selection, snapLength: rule.snapLength,
            limit: rule.limit ?? MirrorSession.standardLimit, segmentation: rule.segmentation, obstacle: obstacle)
        return (session, needsPort)
    }

    private func tunnel(
        _ encapsulation: MirrorTunnel.Encapsulation, to remote: IPAddress, from local: IPAddress?, _ namespace: FollowedNamespace
    ) throws -> (MirrorSession.Target, MirrorSession.Obstacle?) {
        let unspecified = IPAddress(remote.bitWidth == 32 ? "0.0.0.0" : "::")!
        guard let route = try namespace.socket.route(to: remote, from: local), let source = local ?? route.source else {
            return (
                .collector(
                    MirrorTunnel(encapsulation, from: local ?? unspecified, to: remote),
                    MirrorPath(interface: 0, nexthop: remote, mtu: 1500)),
                .noRoute
            )
        }
        let path = MirrorPath(interface: UInt32(route.interface), nexthop: route.gateway ?? remote, mtu: route.mtu)
        return (.collector(MirrorTunnel(encapsulation, from: source, to: remote), path), route.interfaceIsUp ? nil : .targetDown)
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
        var what = "mirror \(part.interfaces.map(\.fullName).joined(separator: ", ")) to \(MirrorActuator.text(part.rule.target))"
        if let obstacle = session.obstacle { what += " (\(MirrorActuator.text(obstacle)))" }
        return PolicyStep(
            PlanReport.Step(isThere ? .change : .add, rule: part.rule.name, what),
            apply: { [self] in
                try book.remember(tenant, at: place)
                var session = session
                if part.needsPort { session.port = try port(of: part.namespace) }
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

    // MARK: Mirror ports

    /// Somebody else's device may have the name of one of ours: it stays as it is.
    private static func checkPort(in namespace: FollowedNamespace, for rule: String) throws {
        guard let stranger = try namespace.socket.links().mirrorPortStranger else { return }
        let place = namespace.owner ?? "the host"
        throw PlanReport.Refusal(
            rule: rule, reason: "it needs the mirror port of \(place), and \(stranger.name) there is not ours: it lacks our alias",
            hint: "the names nilo-m0 and nilo-m1 are for the mirror port: rename that device")
    }

    private func port(of namespace: FollowedNamespace) throws -> UInt32 {
        guard let port = try namespace.socket.mirrorPort() else {
            throw AgentFailure("find the mirror port", "it is gone", hint: "nilo apply makes it again")
        }
        return UInt32(port.out)
    }

    private func addPorts(_ parts: inout [Part], _ result: inout ActuatorPlan) throws {
        var seen: Set<UInt64> = []
        for index in parts.indices where parts[index].needsPort {
            let namespace = parts[index].namespace
            let found = try namespace.socket.mirrorPort()
            if let found { parts[index].session.port = UInt32(found.out) }
            guard seen.insert(namespace.namespace.cookie).inserted else { continue }
            if let found {
                if !attached.contains(namespace.namespace.cookie) {
                    // An earlier agent's, perhaps not finished: its programs are exchanged for ours.
                    result.before.append(
                        PolicyStep(
                            [],
                            apply: { [self] in
                                try makePort(namespace)
                            }, undo: {}))
                } else if let mending = try repair(of: found, in: namespace) {
                    result.before.append(mending)
                }
                continue
            }
            let commands = NetlinkSocket.mirrorPortCommands
            let halves = try namespace.socket.links().mirrorPortEnds.map(\.name)
            let place = namespace.owner ?? "the host"
            // Makes place for itself.
            let removals = halves.prefix(1).map {
                PlanReport.Step(.remove, "what is left of the mirror port of \(place)", command: "ip link del \($0)")
            }
            var step = PolicyStep(
                removals + commands.map { PlanReport.Step(.add, "mirror port of \(place)", command: $0) },
                apply: { [self] in
                    try makePort(namespace)
                }, undo: { [self] in try removePort(namespace) })
            step.isRepair = attached.contains(namespace.namespace.cookie)
            step.rules = Set(
                parts.filter { $0.needsPort && $0.tenant.part == namespace.namespace.cookie }.map(\.rule.name))
            result.before.append(step)
        }
    }

    /// Brings a port that this agent has made ready back to what it was: both ends up, our programs on them.
    private func repair(of port: MirrorPortDevice, in namespace: FollowedNamespace) throws -> PolicyStep? {
        let place = "mirror port of \(namespace.owner ?? "the host")"
        var reports = port.down.map { PlanReport.Step(.change, "\(place): \($0) is down", command: "ip link set \($0) up") }
        let program = try program.get()
        if try !namespace.namespace.inside({ try program.isAttached(out: UInt32(port.out), in: UInt32(port.in)) }) {
            reports.append(PlanReport.Step(.add, "\(place): programs on nilo-m0 and nilo-m1"))
        }
        guard !reports.isEmpty else { return nil }
        var step = PolicyStep(reports, apply: { [self] in try makePort(namespace) }, undo: {})
        step.isRepair = true
        return step
    }

    /// Namespaces whose mirror port runs this agent's programs.
    private var attached: Set<UInt64> = []

    /// Makes the port, or what of it is missing, and puts our programs on it.
    private func makePort(_ namespace: FollowedNamespace) throws {
        _ = try namespace.namespace.inside { try namespace.socket.makeMirrorPort() }
        try attachPort(namespace)
    }

    private func attachPort(_ namespace: FollowedNamespace) throws {
        guard let port = try namespace.socket.mirrorPort() else { return }
        let program = try program.get()
        try namespace.namespace.inside { try program.attach(out: UInt32(port.out), in: UInt32(port.in)) }
        attached.insert(namespace.namespace.cookie)
    }

    private func removePort(_ namespace: FollowedNamespace) throws {
        try namespace.socket.removeMirrorPort()
        attached.remove(namespace.namespace.cookie)
    }

    private func removePorts(besides parts: [Part], _ result: inout ActuatorPlan) throws {
        for namespace in follower.namespaces.values
        where !parts.contains(where: { $0.needsPort && $0.tenant.part == namespace.namespace.cookie }) {
            guard try !namespace.socket.links().mirrorPortEnds.isEmpty else { continue }
            result.after.append(
                PolicyStep(
                    PlanReport.Step(.remove, "mirror port of \(namespace.owner ?? "the host")", command: "ip link del nilo-m0"),
                    apply: { [self] in try removePort(namespace) },
                    undo: { [self] in
                        try makePort(namespace)
                    }))
        }
    }

    func withdraw() throws {
        var failure: (any Error)?
        for namespace in follower.namespaces.values {
            do { try removePort(namespace) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    // MARK: Words

    static func text(_ target: MirrorRule.Target) -> String {
        switch target {
        case .interface(let name): "interface \(name)"
        case .vxlan(let collector):
            "vxlan \(collector.remote) vni \(collector.vni)" + (collector.port == 4789 ? "" : " port \(collector.port)")
        case .erspan(let collector): "erspan \(collector.remote) session \(collector.session)"
        case .file(let file): "file \(file.path)"
        case .client: "a client"
        }
    }

    static func text(_ obstacle: MirrorSession.Obstacle) -> String {
        switch obstacle {
        case .targetGone: "the target is not there"
        case .targetDown: "the target is down"
        case .noRoute: "there is no route to the collector"
        }
    }
}

extension MirrorRule {
    /// A session for a client of ours, which no file says.
    var isCapture: Bool { if case .client = target { true } else { false } }
}
