import CBench
import CDatapath
import CLinux
import Datapath
import Flows
import Glibc
import NetworkTypes
import Policy

import class Netlink.NetlinkSocket

/// A veth pair whose sender's device has the datapath and, when asked, rules by UDP or TCP destination port, or by source port.
final class ShapingBed {
    let pair: VethPair
    let tables: ShapeTables
    private let policies: PolicyTables
    private(set) var interface = InterfaceID(rawValue: 0)
    let ifindex: Int32
    private var tree: HTBTree?
    private var numbers = ShapeNumbers()

    /// - Parameter offloads: leave segmentation to the device, so that packets may be super-packets.
    init(_ plan: Plan, offloads: Bool = false) throws {
        pair = try VethPair(plan)
        tables = try ShapeTables(maps: pair.datapath.maps)
        policies = PolicyTables(maps: pair.datapath.maps)
        try pair.enter(pair.a)
        ifindex = Int32(if_nametoindex("va"))
        if !offloads { try shell("ethtool -K va gso off tso off >/dev/null") }
        try pair.leave()
    }

    func attach() throws {
        try pair.attach(.sender)
        guard let id = pair.attached.first?.id else { throw BenchError("nothing was attached") }
        interface = id
    }

    func detach() throws { try pair.detach() }

    /// Which packets a rule is about.
    enum Match {
        case all
        case destinationPort(UInt16)
        case sourcePort(UInt16)
    }

    /// Plans rules, makes their classes, and puts them in force.
    /// - Returns: the plan, which has to have no refusals.
    @discardableResult func shape(_ rules: [(rule: ShapeRule, match: Match)], capacity: BitRate? = nil) throws -> ShapePlan {
        var site = ShapeSite(interface: "va")
        site.capacity = capacity
        let plan = ShapePlan.make(rules.map(\.rule), on: site, after: numbers)
        numbers = plan.numbers
        guard plan.refusals.isEmpty else { throw BenchError("\(plan.refusals)") }
        try classes(plan.tree)
        let shapers = Dictionary(
            uniqueKeysWithValues: plan.decisions.map { (ShaperName($0.rule, on: interface, $0.direction), $0.shaper) })
        let numbers = try tables.apply(shapers)
        let matches = Dictionary(uniqueKeysWithValues: rules.map { ($0.rule.name, $0.match) })
        var program: [nilo_instruction] = []
        for decision in plan.decisions {
            guard let number = numbers[ShaperName(decision.rule, on: interface, decision.direction)] else { continue }
            let (field, value): (nilo_field, UInt32) =
                switch matches[decision.rule] ?? .all {
                case .all: (NILO_FIELD_DIRECTION, UInt32(decision.direction.rawValue))
                case .destinationPort(let port): (NILO_FIELD_DPORT, UInt32(port))
                case .sourcePort(let port): (NILO_FIELD_SPORT, UInt32(port))
                }
            let at = UInt16(program.count)
            var test = nilo_instruction()
            test.operation = UInt8(NILO_OP_RANGE.rawValue)
            test.field = UInt8(field.rawValue)
            test.low = value
            test.high = value
            test.on_true = at + 1
            test.on_false = at + 2
            var shape = nilo_instruction()
            shape.operation = UInt8(NILO_OP_SHAPE.rawValue)
            shape.low = UInt32(number)
            shape.on_true = at + 2
            shape.on_false = at + 2
            program += [test, shape]
        }
        try policies.replace(program + [nilo_instruction()])
        try tables.retire()
        try pair.datapath.setRules(interface, at: Set(plan.decisions.map(\.direction)))
        return plan
    }

    /// Makes the classes of `va` those of the tree.
    func classes(_ wanted: HTBTree?) throws {
        try pair.enter(pair.a)
        try NetlinkSocket().apply(QdiscChange.changes(from: tree, to: wanted), to: ifindex)
        tree = wanted
        try pair.leave()
    }

    /// Runs flows over the pair. Returns frame bits a second at the receiver.
    func run(_ flows: inout [bench_flow], seconds: Double, warm: Double = 1.5) throws -> Double {
        var rate = 0.0
        try checked(bench_flows_run(pair.a, pair.b, &flows, Int32(flows.count), warm, seconds, &rate), "run \(flows.count) flows")
        try pair.leave()
        return rate * 8
    }

    func counters(_ rule: String, _ direction: Direction = .egress) -> ShaperCounters? {
        tables.counters(ShaperName(rule, on: interface, direction))
    }
}

extension bench_flow {
    init(udp: Bool, port: UInt16, size: UInt32 = 1472) {
        self.init()
        self.udp = udp ? 1 : 0
        self.port = port
        self.size = udp ? size : 65536
    }
}

extension ShapeRule {
    /// An egress rule of a benchmark.
    init(_ name: String, rate: BitRate? = nil, ceiling: BitRate? = nil, _ change: (inout ShapeRule) -> Void = { _ in }) {
        self.init(name: name, scope: RuleScope(direction: .egress), rate: rate, ceiling: ceiling)
        change(&self)
    }
}

func mbit(_ n: Double) -> BitRate { BitRate(bitsPerSecond: n * 1e6) }
