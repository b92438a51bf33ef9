import Datapath
import Flows
import Netlink
import NetworkTypes
import Policy
import Reports

/// Draws up what rules were asked to do and what they do.
final class PolicyReporter {
    let keeper: PolicyKeeper
    let follower: InterfaceFollower
    /// Packets and bytes of each rule at the last turn, and their rates since the one before.
    private var last: [String: (packets: UInt64, bytes: UInt64)] = [:]
    private(set) var rates: [String: (packets: Double, bits: Double)] = [:]
    private var lastTurn: Timestamp?
    /// Of the last turn.
    private(set) var latest: PolicyReport?
    /// Of sessions whose packets the agent writes.
    var captures: Captures?
    /// Why samples do not get to the sFlow collectors.
    var collectorProblem: () -> String? = { nil }
    /// Copies that went into the mirror port and did not come out, of each rule.
    private var missing: [String: MissingCopies] = [:]

    private struct MissingCopies {
        /// At the last turns, newest last.
        var counts: [Int64] = []
        /// What was missing at all of them, at each turn of the last minute: what is under way for a moment is not lost.
        var lasting: [Int64] = []

        mutating func add(_ count: Int64) {
            counts = Array(counts.suffix(4)) + [count]
            guard counts.count == 5, let least = counts.min() else { return }
            lasting = Array(lasting.suffix(59)) + [max(0, least)]
        }

        var inTheLastMinute: Int64 { (lasting.last ?? 0) - (lasting.min() ?? 0) }
    }

    init(_ keeper: PolicyKeeper, _ follower: InterfaceFollower) {
        self.keeper = keeper
        self.follower = follower
    }

    /// Once a second.
    func turn(now: Timestamp) {
        // A dump of so many classes takes a CPU some 20 ms: of more, what is achieved is not told.
        let report = report(at: now, withClasses: leafCount <= 4096)
        let elapsed = lastTurn.map { (now - $0).seconds } ?? 0
        lastTurn = now
        var counts: [String: (packets: UInt64, bytes: UInt64)] = [:]
        for rule in report.mirrors { counts[Self.key("m", rule.name, rule.namespace)] = (rule.mirroredPackets, rule.mirroredBytes) }
        for rule in report.shapers where rule.mechanism != ShapeRule.Mechanism.htb.rawValue || rule.sentBytes != nil {
            counts[Self.key("s", rule.name, rule.interfaces.first)] = (rule.sentPackets ?? rule.packets, rule.sentBytes ?? rule.bytes)
        }
        var missing: [String: MissingCopies] = [:]
        for rule in report.mirrors {
            let key = Self.key("m", rule.name, rule.namespace)
            var copies = self.missing[key] ?? MissingCopies()
            copies.add(rule.missing)
            missing[key] = copies
        }
        self.missing = missing
        rates = [:]
        for (key, now) in counts {
            guard elapsed > 0, let before = last[key], now.packets >= before.packets, now.bytes >= before.bytes else { continue }
            rates[key] = (Double(now.packets - before.packets) / elapsed, Double(now.bytes - before.bytes) * 8 / elapsed)
        }
        last = counts
        latest = report
    }

    static func key(_ kind: String, _ name: String, _ part: String?) -> String { "\(kind) \(name) \(part ?? "")" }

    /// - Parameter withClasses: asks the kernel what the classes of shaping rules have sent, dropped and hold, which costs a dump of them.
    func report(at now: Timestamp, withClasses: Bool = false) -> PolicyReport {
        let policy = keeper.policy
        let leaves = withClasses ? leafCounters() : [:]
        let names = InterfaceNames(resolution: keeper.resolution)
        var report = PolicyReport(
            at: now.description, intervalSeconds: lastTurn == nil ? 0 : 1, folder: keeper.directory.path, files: keeper.files,
            generation: keeper.generation, mirrors: (policy.mirrors + keeper.guests).flatMap { mirrors($0, names) },
            samplers: policy.samplers.compactMap { sampler($0, names) }, shapers: policy.shapers.flatMap { shapers($0, names, leaves) },
            refusals: keeper.refusals, waiting: keeper.waiting, repaired: keeper.repaired, problem: keeper.problem,
            confirmWithinSeconds: keeper.confirmWithinSeconds)
        report.displaced = keeper.shapes.displacements
        if !keeper.isInForce { addEarlier(to: &report) }
        return report
    }

    /// One rule in full.
    func rule(named name: String, at now: Timestamp) throws -> RuleReport {
        let names = InterfaceNames(resolution: keeper.resolution)
        var report: RuleReport
        func begin(_ kind: RuleKind, _ scope: RuleScope) -> RuleReport {
            let place = keeper.places[name]
            var report = RuleReport(
                at: now.description, name: name, kind: kind.rawValue, file: place?.file, line: place?.line, filter: "\(scope.filter)")
            report.program = program(name, kind, scope)
            return report
        }
        if let rule = keeper.mirror(named: name) {
            report = begin(.mirror, rule.scope)
            report.mirrors = mirrors(rule, names)
        } else if let rule = keeper.policy.samplers.first(where: { $0.name == name }) {
            report = begin(.sampler, rule.scope)
            report.samplers = sampler(rule, names).map { [$0] } ?? []
        } else if let rule = keeper.policy.shapers.first(where: { $0.name == name }) {
            report = begin(.shaper, rule.scope)
            report.shapers = shapers(rule, names, leafCounters())
            report.prefixes = prefixes(of: rule, names)
        } else {
            throw AgentFailure(
                "show rule \(name.visible)", "there is no such rule in force", hint: "nilo mirror, nilo sample and nilo shape list them")
        }
        report.refusals = keeper.refusals.filter { $0.rule == name }
        report.waiting = keeper.waiting.filter { $0.rule == name }
        return report
    }

    /// The rule's filter compiled by itself.
    private func program(_ name: String, _ kind: RuleKind, _ scope: RuleScope) -> [String] {
        var plan = PolicyPlan()
        let resolution = keeper.resolution
        let rule = KernelRule(
            name: name, kind: kind, index: kind.kernelIndices.lowerBound, scope: scope,
            interfaces: Set(resolution.interfaces(of: scope, for: name, &plan).map(\.id)))
        let interfaces = Dictionary(uniqueKeysWithValues: resolution.interfaces.map { ($0.id, $0.name) })
        do {
            return try FilterCompiler.compile([rule], interfaces: interfaces, prefixSets: keeper.policy.prefixSets).listing
        } catch { return ["\(error)"] }
    }

    /// The same in numbers.
    func summary() -> StatusReport.Policy {
        func names(_ kind: RuleKind) -> Int {
            Set(keeper.book.tenants.filter { $0.key.kind == kind && !isOver($0.value) }.map(\.value.name)).count
        }
        var summary = StatusReport.Policy(
            mirrors: names(.mirror), samplers: names(.sampler),
            shapers: Set(keeper.shapes.decisions.keys.map(\.rule)).count + keeper.shapes.tables.earlier.count,
            refused: Set(keeper.refusals.map(\.rule)).sorted(), waiting: keeper.waiting, repaired: keeper.repaired,
            problem: keeper.problem, confirmWithinSeconds: keeper.confirmWithinSeconds)
        summary.displaced = keeper.shapes.displacements
        return summary
    }

    /// What keeps rules in force from doing what they say, a line each.
    func problems() -> [String] {
        let bad = (keeper.policy.mirrors + keeper.guests).compactMap { rule -> String? in
            let sessions = keeper.book.tenants.filter { $0.key.kind == .mirror && $0.value.name == rule.name }.map {
                keeper.mirrors.sessions[$0.key]
            }
            return sessions.lazy.compactMap { self.problem(of: rule, $0) }.first.map { "mirror \(rule.name): \($0)" }
        }
        let lost = (keeper.policy.mirrors + keeper.guests).compactMap { rule -> String? in
            let prefix = Self.key("m", rule.name, nil)
            let count = missing.filter { $0.key.hasPrefix(prefix) }.values.reduce(0) { $0 + $1.inTheLastMinute }
            guard count > 0 else { return nil }
            return "mirror \(rule.name): \(count) copies went into the mirror port within the last minute and did not come out"
        }
        return (bad + lost).sorted() + keeper.shapes.displaced.values.map(\.description).sorted()
    }

    func problem(of rule: MirrorRule, _ session: MirrorSession?) -> String? {
        if let session, let problem = MirrorActuator.problem(of: session) { return problem }
        if let problem = captures?.progress(of: rule.name)?.problem { return problem }
        // Files that are open are written to until they are full; what then comes is known now.
        guard case .file(let file) = rule.target, let obstacle = CaptureTarget.obstacle(of: file.path) else { return nil }
        return "\(file.path.visible): \(obstacle.reason)"
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
