import Datapath
import Flows
import NetworkTypes
import Policy
import Reports
import Sampling

/// Makes the datapath sample as the policy says, and holds the budgets of those rules that have one.
final class SampleActuator: RuleActuator {
    let tables: SamplerTables
    private let book: RuleBook
    /// Of rules with a budget, by number.
    private var controllers: [Int: RateController] = [:]
    private var lastCounters: [Int: SamplerCounters] = [:]
    private var lastTurn: Timestamp?
    /// What the controllers saw last.
    private var controlled: [Int: SamplerCounters] = [:]
    private var lastControl: Timestamp?
    /// What the agent's handling of a sample takes, seconds of a CPU; measured.
    var secondsPerSample = 1e-5
    private(set) var ratesPerSecond: [Int: Double] = [:]

    init(_ datapath: Datapath, _ book: RuleBook) throws {
        tables = try SamplerTables(maps: datapath.maps)
        self.book = book
    }

    func prepare(_ policy: Policy, _ resolution: PolicyResolution, _ plan: inout PolicyPlan) throws -> ActuatorPlan {
        var result = ActuatorPlan()
        var taken: Set<RuleBook.Place> = []
        for rule in policy.samplers {
            let interfaces = resolution.interfaces(of: rule.scope, for: rule.name, &plan)
            guard !interfaces.isEmpty else { continue }
            let tenant = RuleBook.Tenant(name: rule.name, part: 0)
            guard let place = book.place(of: tenant, .sampler, besides: taken) else {
                plan.refusals.append(.init(rule: rule.name, reason: "\(RuleKind.sampler.mostRules) sampling rules are the most"))
                continue
            }
            taken.insert(place)
            let number = Int(place.index)
            result.expectedRules.append(
                KernelRule(name: rule.name, kind: .sampler, index: number, scope: rule.scope, interfaces: Set(interfaces.map(\.id))))
            if let step = step(for: rule, tenant, place) { result.before.append(step) }
        }
        result.after = book.tenants.filter { $0.key.kind == .sampler && !taken.contains($0.key) }.map { remove($0.key, $0.value) }
        let rules = result.expectedRules
        result.rules = { rules }
        return result
    }

    private func step(for rule: SampleRule, _ tenant: RuleBook.Tenant, _ place: RuleBook.Place) -> PolicyStep? {
        let number = Int(place.index)
        let isThere = book.tenants[place] == tenant
        let before = tables[number]
        var wanted = SamplerTables.Sampler(
            oneIn: 0, firstPackets: rule.firstPackets, always: rule.always, snapLength: rule.snapLength)
        switch rule.rate {
        case .oneIn(let n): wanted.oneIn = n
        case .samplesPerSecond, .cpu:
            // The controller's, once it has started.
            wanted.oneIn = isThere && before.oneIn > 0 ? before.oneIn : RateController().oneIn
        case .none: break
        }
        let isAdaptive =
            switch rule.rate {
            case .samplesPerSecond, .cpu: true
            case .oneIn, .none: false
            }
        // Also one that an earlier agent left: a controller goes on from the rate in force.
        if isThere && before == wanted { return nil }
        let controllerBefore = controllers[number]
        let was = isThere && before.oneIn != wanted.oneIn ? "until now " + (before.oneIn == 0 ? "none" : "1 in \(before.oneIn)") : nil
        return PolicyStep(
            PlanReport.Step(isThere ? .change : .add, rule: rule.name, "sample \(SampleActuator.text(rule.rate))", reason: was),
            apply: { [self] in
                try book.remember(tenant, at: place)
                if !isThere {
                    tables.clear(number)
                    (lastCounters[number], controlled[number], ratesPerSecond[number]) = (nil, nil, nil)
                }
                tables.install(wanted, as: number)
                controllers[number] = isAdaptive ? RateController(oneIn: wanted.oneIn) : nil
            },
            undo: { [self] in
                controllers[number] = controllerBefore
                if isThere {
                    tables.install(before, as: number)
                } else {
                    tables.remove(number)
                    try book.forget(place)
                }
            })
    }

    private func remove(_ place: RuleBook.Place, _ tenant: RuleBook.Tenant) -> PolicyStep {
        let number = Int(place.index)
        let before = tables[number]
        let controller = controllers[number]
        return PolicyStep(
            PlanReport.Step(.remove, rule: tenant.name, "sampling"),
            apply: { [self] in
                tables.remove(number)
                controllers[number] = nil
                try book.forget(place)
            },
            undo: { [self] in
                try book.remember(tenant, at: place)
                tables.install(before, as: number)
                controllers[number] = controller
            })
    }

    func withdraw() {}

    /// Once a second: rates.
    func turn(now: Timestamp) {
        defer { lastTurn = now }
        for place in book.tenants.keys where place.kind == .sampler {
            let number = Int(place.index)
            let counters = tables.counters(of: number)
            defer { lastCounters[number] = counters }
            guard let before = lastCounters[number], let lastTurn else { continue }
            let elapsed = now - lastTurn
            let change = counters - before
            ratesPerSecond[number] = elapsed.seconds > 0 ? Double(change.samples) / elapsed.seconds : nil
        }
    }

    /// The next rate of each rule with a budget. Ten times a second.
    func control(_ policy: Policy, now: Timestamp) {
        defer { lastControl = now }
        for (place, tenant) in book.tenants where place.kind == .sampler {
            let number = Int(place.index)
            let counters = tables.counters(of: number)
            defer { controlled[number] = counters }
            guard let before = controlled[number], let lastControl else { continue }
            let elapsed = now - lastControl
            let change = counters - before
            guard let rule = policy.samplers.first(where: { $0.name == tenant.name }) else { continue }
            let budget: Double
            switch rule.rate {
            case .samplesPerSecond(let rate): budget = rate
            case .cpu(let part): budget = RateController.samplesPerSecond(cpu: part, secondsPerSample: secondsPerSample)
            case .oneIn, .none:
                controllers[number] = nil
                continue
            }
            var controller = controllers[number] ?? RateController(oneIn: tables[number].oneIn)
            let next = controller.decide(
                .init(
                    elapsed: elapsed, packets: change.packets, hits: change.hits &+ change.lostHits, randomSamples: change.random,
                    otherSamples: change.samples &- min(change.samples, change.random)), budget: budget)
            if next != tables[number].oneIn { tables.setRate(oneIn: next, of: number) }
            controllers[number] = controller
        }
    }

    static func text(_ rate: SampleRule.Rate) -> String {
        switch rate {
        case .oneIn(let n): "1 in \(n)"
        case .samplesPerSecond(let rate): "\(Count(UInt64(rate.rounded()))) samples/s"
        case .cpu(let part): "\(percent(part)) of a CPU"
        case .none: "nothing at random"
        }
    }

    private static func percent(_ part: Double) -> String {
        let tenths = Int((part * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }
}
