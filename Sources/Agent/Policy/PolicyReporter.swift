import Datapath
import Flows
import Netlink
import NetworkTypes
import Policy
import Reports

/// Draws up what rules were asked to do and what they do.
final class PolicyReporter {
    private let keeper: PolicyKeeper
    private let follower: InterfaceFollower
    /// Packets and bytes of each rule at the last turn, and their rates since the one before.
    private var last: [String: (packets: UInt64, bytes: UInt64)] = [:]
    private var rates: [String: (packets: Double, bits: Double)] = [:]
    private var lastTurn: Timestamp?
    /// Of sessions whose packets the agent writes.
    var captures: Captures?

    init(_ keeper: PolicyKeeper, _ follower: InterfaceFollower) {
        self.keeper = keeper
        self.follower = follower
    }

    /// Once a second.
    func turn(now: Timestamp) {
        let report = report(at: now)
        let elapsed = lastTurn.map { (now - $0).seconds } ?? 0
        lastTurn = now
        var counts: [String: (packets: UInt64, bytes: UInt64)] = [:]
        for rule in report.mirrors { counts[Self.key("m", rule.name, rule.namespace)] = (rule.mirroredPackets, rule.mirroredBytes) }
        for rule in report.shapers { counts[Self.key("s", rule.name, rule.interfaces.first)] = (rule.packets, rule.bytes) }
        rates = [:]
        for (key, now) in counts {
            guard elapsed > 0, let before = last[key], now.packets >= before.packets, now.bytes >= before.bytes else { continue }
            rates[key] = (Double(now.packets - before.packets) / elapsed, Double(now.bytes - before.bytes) * 8 / elapsed)
        }
        last = counts
    }

    private static func key(_ kind: String, _ name: String, _ part: String?) -> String { "\(kind) \(name) \(part ?? "")" }

    func report(at now: Timestamp) -> PolicyReport {
        let policy = keeper.policy
        let names = InterfaceNames(resolution: keeper.resolution)
        return PolicyReport(
            at: now.description, intervalSeconds: lastTurn == nil ? 0 : 1, folder: keeper.directory.path, files: keeper.files,
            generation: keeper.generation, mirrors: (policy.mirrors + keeper.guests).flatMap { mirrors($0, names) },
            samplers: policy.samplers.compactMap { sampler($0, names) }, shapers: shapers(policy, names),
            refusals: keeper.refusals, waiting: keeper.waiting, repaired: keeper.repaired, problem: keeper.problem,
            confirmWithinSeconds: keeper.confirmWithinSeconds)
    }

    /// The same in numbers.
    func summary() -> StatusReport.Policy {
        func names(_ kind: RuleKind) -> Int { Set(keeper.book.tenants.filter { $0.key.kind == kind }.map(\.value.name)).count }
        return StatusReport.Policy(
            mirrors: names(.mirror), samplers: names(.sampler), shapers: Set(keeper.shapes.decisions.keys.map(\.rule)).count,
            refused: Set(keeper.refusals.map(\.rule)).sorted(), waiting: keeper.waiting, repaired: keeper.repaired,
            problem: keeper.problem, confirmWithinSeconds: keeper.confirmWithinSeconds)
    }

    /// What keeps rules in force from doing what they say, a line each.
    func problems() -> [String] {
        let bad = (keeper.policy.mirrors + keeper.guests).compactMap { rule -> String? in
            let sessions = keeper.book.tenants.filter { $0.key.kind == .mirror && $0.value.name == rule.name }.map {
                keeper.mirrors.sessions[$0.key]
            }
            return sessions.lazy.compactMap { self.problem(of: rule, $0) }.first.map { "mirror \(rule.name): \($0)" }
        }
        return bad.sorted()
    }

    private func problem(of rule: MirrorRule, _ session: MirrorSession?) -> String? {
        if let obstacle = session?.obstacle { return MirrorActuator.text(obstacle) }
        if let problem = captures?.progress(of: rule.name)?.problem { return problem }
        // Files that are open are written to until they are full; what then comes is known now.
        guard case .file(let file) = rule.target, let obstacle = CaptureTarget.obstacle(of: file.path) else { return nil }
        return "\(file.path.visible): \(obstacle.reason)"
    }

    private func mirrors(_ rule: MirrorRule, _ names: InterfaceNames) -> [MirrorReport] {
        let places = keeper.book.tenants.filter { $0.key.kind == .mirror && $0.value.name == rule.name }.sorted {
            $0.value.part < $1.value.part
        }
        return places.map { place, tenant in
            let namespace = follower.namespaces.values.first { $0.namespace.cookie == tenant.part }
            var report = MirrorReport(
                name: rule.name, namespace: namespace?.owner,
                interfaces: names.matching(rule.scope, namespaceCookie: tenant.part), direction: Self.text(rule.scope.direction),
                filter: "\(rule.scope.filter)", target: MirrorActuator.text(rule.target), selection: Self.text(rule.selection),
                snapLength: rule.snapLength, limit: Self.text(rule.limit ?? MirrorSession.standardLimit), priority: rule.priority,
                segmentation: rule.segmentation.rawValue)
            report.since = keeper.book.since[place]?.description
            let session = keeper.mirrors.sessions[place]
            report.problem = problem(of: rule, session)
            if case .collector(_, let path)? = session?.target { report.pathMTU = path.mtu }
            guard let counts = try? keeper.mirrors.tables.counts(of: Int(place.index)) else { return report }
            report.matched = counts.matched.skbs
            report.selected = counts.selected
            report.mirroredPackets = counts.mirroredPackets
            report.mirroredBytes = counts.mirroredBytes
            report.truncated = counts.truncated
            report.capped = counts.capped.skbs
            report.failed = Dictionary(uniqueKeysWithValues: counts.failed.map { ("\($0.key)", $0.value) })
            if let progress = captures?.progress(of: rule.name) {
                if progress.lost > 0 { report.failed["not written"] = progress.lost }
            }
            if counts.outranked > 0 { report.failed["outranked"] = counts.outranked }
            if let rate = rates[Self.key("m", rule.name, report.namespace)] {
                (report.packetsPerSecond, report.bitsPerSecond) = (rate.packets, rate.bits)
            }
            return report
        }
    }

    private func sampler(_ rule: SampleRule, _ names: InterfaceNames) -> SampleReport? {
        guard let place = keeper.book.tenants.first(where: { $0.key.kind == .sampler && $0.value.name == rule.name })?.key else {
            return nil
        }
        var report = SampleReport(
            name: rule.name, namespace: nil, interfaces: names.matching(rule.scope), direction: Self.text(rule.scope.direction),
            filter: "\(rule.scope.filter)", asked: SampleActuator.text(rule.rate), firstPackets: rule.firstPackets,
            always: TCPFlags.names.filter { rule.always.contains($0.1) }.map(\.0), snapLength: rule.snapLength)
        let number = Int(place.index)
        let counters = keeper.samples.tables.counters(of: number)
        report.since = keeper.book.since[place]?.description
        report.oneIn = keeper.samples.tables[number].oneIn
        report.pool = counters.packets
        report.hits = counters.hits
        report.samples = ["random": counters.random, "first": counters.first, "flag": counters.flags]
        report.lost = counters.ringFull + counters.unreadable
        report.samplesPerSecond = keeper.samples.ratesPerSecond[number]
        return report
    }

    private func shapers(_ policy: Policy, _ names: InterfaceNames) -> [ShapeReport] {
        policy.shapers.flatMap { rule in
            keeper.shapes.decisions.filter { $0.key.rule == rule.name }
                .sorted { ($0.key.interface, $0.key.direction.rawValue) < ($1.key.interface, $1.key.direction.rawValue) }
                .map { name, decision in
                    var report = ShapeReport(
                        name: rule.name, namespace: follower.place(of: name.interface)?.namespace.owner,
                        interfaces: [names.name(name.interface)], direction: "\(name.direction)", filter: "\(rule.scope.filter)",
                        parent: rule.parent, mechanism: decision.mechanism.rawValue, priority: rule.priority,
                        per: Self.text(rule.aggregation))
                    report.rateBitsPerSecond = rule.rate?.bitsPerSecond
                    report.ceilingBitsPerSecond = rule.ceiling?.bitsPerSecond
                    report.burstBytes = rule.burst?.rawValue
                    report.dscp = rule.dscp.map { DSCPName.of($0) ?? String($0) }
                    if case .htb(let first, _) = decision.shaper.action {
                        report.classID = "\(String(HTBTree.major, radix: 16)):\(String(first, radix: 16))"
                    }
                    guard let counters = keeper.shapes.tables.counters(name) else { return report }
                    report.packets = counters.packets
                    report.bytes = counters.bytes
                    report.droppedPackets = counters.droppedPackets
                    report.droppedBytes = counters.droppedBytes
                    report.marked = counters.markedPackets
                    report.bitsPerSecond = rates[Self.key("s", rule.name, report.interfaces.first)]?.bits
                    return report
                }
        }
    }

    // MARK: Words

    private static func text(_ direction: Direction?) -> String? { direction.map { $0 == .ingress ? "ingress" : "egress" } }

    private static func text(_ selection: MirrorRule.Selection) -> String {
        switch selection {
        case .all: "all"
        case .packets(let n): "1 packet in \(n)"
        case .flows(let n): "1 flow in \(n)"
        }
    }

    private static func text(_ limit: MirrorRule.Limit) -> String? {
        switch limit {
        case .bits(let rate): rate.description
        case .packets(let rate): rate.description
        case .unlimited: nil
        }
    }

    private static func text(_ aggregation: ShapeRule.Aggregation) -> String {
        switch aggregation {
        case .aggregate: "all"
        case .host(.source): "source host"
        case .host(.destination): "destination host"
        case .host(.either): "host"
        case .flow: "flow"
        case .prefixes(_, let list): "\(list.count) prefixes"
        }
    }
}

/// Names of the interfaces that are counted.
struct InterfaceNames {
    let resolution: PolicyResolution

    func name(_ id: InterfaceID) -> String { resolution.interfaces.first { $0.id == id }?.fullName ?? "#\(id.rawValue)" }

    func matching(_ scope: RuleScope, namespaceCookie: UInt64? = nil) -> [String] {
        var plan = PolicyPlan()
        return resolution.interfaces(of: scope, for: "", &plan)
            .filter { namespaceCookie == nil || $0.namespaceCookie == namespaceCookie }.map(\.fullName)
    }
}
