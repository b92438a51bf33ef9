import FlowSupport
import Flows
import NetworkTypes
import Policy

/// Policies that have nothing wrong with them.
struct RandomPolicies {
    private var flows: RandomFlows
    init(seed: UInt64) { flows = RandomFlows(seed: seed) }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &flows.random) }
    private mutating func maybe<T>(_ value: (inout Self) -> T) -> T? { flows.chance(50) ? value(&self) : nil }
    private mutating func rate(_ range: ClosedRange<Int> = 1000...1_000_000_000_000) -> BitRate {
        let units = flows.pick([1, 1000, 1_000_000])
        return BitRate(bitsPerSecond: Double(max(range.lowerBound, number(range) / units * units)))
    }

    mutating func policy() -> Policy {
        var policy = Policy()
        policy.prefixSets = RandomFlows.prefixSets.mapValues { $0.shuffled(using: &flows.random) }
        var names = ["null", "web", "a.b-c_1", "9", "on", "no", "backup", "x.yaml", "-", "database", "true", "0x10"].shuffled(
            using: &flows.random)
        let interfaces = ["eth1", "wlan-0", "span0", "true"]
        for interface in interfaces where flows.chance(40) {
            policy.links.append(
                LinkDeclaration(
                    interface: interface, capacity: maybe { $0.rate() }, criticality: maybe { $0.number(0...100) },
                    alternatives: flows.chance(50) ? [] : ["other", "null"]))
        }
        for _ in 0..<number(0...3) { policy.mirrors.append(mirror(names.removeLast())) }
        for _ in 0..<number(0...3) { policy.samplers.append(sampler(names.removeLast())) }
        for _ in 0..<number(0...2) { policy.shapers.append(contentsOf: family(names.removeLast(), names.removeLast())) }
        let parents = Set(policy.shapers.compactMap(\.parent))
        for rule in policy.shapers where rule.aggregation == .aggregate && rule.allocation != nil && !parents.contains(rule.name) {
            if flows.chance(50) { policy.plans.append(plan(rule.name)) }
        }
        if let first = policy.links.first(where: { $0.capacity != nil && !$0.alternatives.isEmpty }), flows.chance(70) {
            policy.links.append(LinkDeclaration(interface: "other", capacity: rate()))
            policy.routes.append(route(first.interface))
        }
        return policy
    }

    private mutating func route(_ interface: String) -> RouteDeclaration {
        let isV4 = flows.chance(50)
        var route = RouteDeclaration(
            name: flows.pick(["null", "to-there"]), destination: IPPrefix(isV4 ? "10.9.0.0/24" : "2001:db8::/33")!,
            paths: [
                .init(gateway: maybe { _ in IPAddress(isV4 ? "10.1.0.2" : "fe80::1")! }, interface: interface), .init(interface: "other"),
            ])
        route.below = Double(number(5_000...100_000)) / 100_000
        route.quantile = Double(number(50_000...95_000)) / 100_000
        route.lead = .seconds(number(1...86_400))
        route.criticality = number(0...100)
        route.change = Double(number(1_000...100_000)) / 100_000
        route.hold = .milliseconds(number(0...86_400_000))
        route.freeze = maybe { [DailyWindow(from: $0.number(0...700), until: $0.number(701...1440))] } ?? []
        return route
    }

    private mutating func plan(_ rule: String) -> PlanDeclaration {
        var plan = PlanDeclaration(rule: rule)
        plan.quantile = Double(number(50_000...95_000)) / 100_000
        plan.lead = .seconds(number(1...86_400))
        plan.headroom = Double(number(0...300_000)) / 100_000
        plan.ceiling = maybe { $0.rate() }
        plan.criticality = number(0...100)
        plan.weight = number(1...1000)
        plan.change = Double(number(1_000...1_000_000)) / 100_000
        plan.hold = .milliseconds(number(0...86_400_000))
        plan.freeze = maybe { [DailyWindow(from: $0.number(0...700), until: $0.number(701...1440))] } ?? []
        return plan
    }

    private mutating func scope(_ direction: Direction?) -> RuleScope {
        let filter = flows.chance(20) ? FlowFilter.everything : FlowFilter(flows.expression(depth: 3))
        // One that does not fit into the longest text could not have been written.
        return RuleScope(
            interfaces: flows.pick([[], ["eth0"], ["veth*", "blue:eth?"], ["a b:c", "é*", "off"]]), direction: direction,
            filter: filter.description.utf8.count > FlowFilter.longestText ? .everything : filter)
    }

    private mutating func mirror(_ name: String) -> MirrorRule {
        let address = flows.pick(RandomFlows.addresses)
        let local = maybe { $0.flows.pick(RandomFlows.addresses.filter { $0.isV4 == address.isV4 }) }
        let target: MirrorRule.Target
        switch number(0...3) {
        case 0: target = .interface(flows.pick(["span0", "null", "br-lan"]))
        case 1:
            target = .vxlan(
                .init(remote: address, local: local, vni: UInt32(number(0xFF_0000...0xFF_FFFF)), port: UInt16(number(1...65535))))
        case 2: target = .erspan(.init(remote: address, local: local, session: UInt16(number(0...1023))))
        default:
            target = .file(
                .init(
                    path: flows.pick(["/var/lib/x.pcapng", "/tmp/a b: #c", "/é\"\\"]) + "-\(name)",
                    size: ByteCount(UInt64(number(65536...1 << 40))),
                    files: number(1...1000)))
        }
        return MirrorRule(
            name: name, scope: scope(flows.pick([nil, .ingress, .egress])), target: target,
            selection: flows.pick([.all, .packets(oneIn: 10), .flows(oneIn: .max)]), snapLength: maybe { $0.number(64...65535) },
            limit: flows.pick([nil, .unlimited, .bits(rate()), .packets(PacketRate(packetsPerSecond: Double(number(1...1_000_000))))]),
            priority: flows.pick([0, 7, 1000]), segmentation: flows.pick(MirrorRule.Segmentation.allCases))
    }

    private mutating func sampler(_ name: String) -> SampleRule {
        let budget = Double(number(1...1_000_000_000)) / 1000
        let share = Double(number(10...100_000)) / 100_000
        let rate = flows.pick([SampleRule.Rate.oneIn(1000), .oneIn(1), .samplesPerSecond(budget), .cpu(share), .none])
        let first = UInt32(number(rate == .none ? 1...9 : 0...9))
        return SampleRule(
            name: name, scope: scope(flows.pick([nil, .ingress, .egress])), rate: rate, firstPackets: first,
            always: flows.pick([[], .syn, [.fin, .ae]]), snapLength: number(64...1600))
    }

    /// A rule, and one within it.
    private mutating func family(_ name: String, _ child: String) -> [ShapeRule] {
        var rule = ShapeRule(
            name: name, scope: scope(.egress), rate: maybe { $0.rate(1000...1_000_000) }, ceiling: rate(2_000_000...9_000_000_000))
        rule.burst = maybe { ByteCount(UInt64($0.number(1514...1 << 30))) }
        rule.dscp = maybe { UInt8($0.number(0...63)) }
        rule.priority = number(0...7)
        rule.overhead = flows.pick([0, 24])
        rule.ecn = flows.chance(50)
        rule.mechanism = flows.pick(ShapeRule.Mechanism.allCases)
        var part = rule
        part.name = child
        part.scope.filter = .everything
        part.rate = rate(1000...1_000_000)
        part.parent = name
        let prefixes = ["10.0.0.0/24", "2001:db8::/32", "0.0.0.0/0"].map { IPPrefix($0)! }
        part.aggregation = flows.pick([
            .aggregate, .flow, .host(.source), .host(.destination),
            .prefixes(.destination, prefixes.map { ShapeRule.PrefixRate(prefix: $0, rate: BitRate(bitsPerSecond: 64000)) }),
        ])
        return flows.chance(50) ? [rule, part] : [part, rule]
    }
}
