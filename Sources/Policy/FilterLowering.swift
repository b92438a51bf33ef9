import Flows
import NetworkTypes

/// Prefix lists by number: equal lists share one.
struct PrefixSetTable {
    private(set) var sets: [[IPPrefix]] = []
    private var numbers: [[IPPrefix]: Int] = [:]
    /// By name; no prefix in another one.
    let named: [String: [IPPrefix]]

    init(named: [String: [IPPrefix]]) { self.named = named.mapValues(Self.minimal) }

    mutating func number(of prefixes: [IPPrefix]) -> Int {
        if let number = numbers[prefixes] { return number }
        numbers[prefixes] = sets.count
        sets.append(prefixes)
        return sets.count - 1
    }

    /// Without those that lie in another one, in an order of their own.
    static func minimal(_ prefixes: [IPPrefix]) -> [IPPrefix] {
        var kept: [IPPrefix] = []
        // In this order a prefix follows the ones that contain it, with nothing but others of theirs between.
        for prefix in prefixes.sorted(by: precedes) where kept.last?.contains(prefix) != true { kept.append(prefix) }
        return kept
    }

    private static func precedes(_ a: IPPrefix, _ b: IPPrefix) -> Bool {
        switch (a.address, b.address) {
        case (.v4, .v6): true
        case (.v6, .v4): false
        case (.v4(let x), .v4(let y)): (x, a.length) < (y, b.length)
        case (.v6(let high, let low), .v6(let high2, let low2)): (high, low, a.length) < (high2, low2, b.length)
        }
    }
}

/// Takes the filter of one rule down to tests of fields. What `FlowFilter.matches` says of a one-packet record is what they say.
struct FilterLowering {
    typealias Expression = FlowFilter.Expression
    typealias Layer = FlowFilter.Layer
    typealias Condition = FilterCondition

    /// From this many prefixes on, one lookup in a set instead of a test each.
    static let leastSet = 5

    /// Names of all interfaces that are counted.
    let interfaces: [InterfaceID: String]
    var sets: PrefixSetTable
    /// Where the rule at hand may apply.
    var points: Set<FilterProgram.Point> = []

    init(interfaces: [InterfaceID: String], prefixSets: [String: [IPPrefix]]) {
        self.interfaces = interfaces
        sets = PrefixSetTable(named: prefixSets)
    }

    /// The whole of a rule's scope.
    mutating func condition(of rule: KernelRule) -> Condition {
        points = points(of: rule)
        if points.isEmpty { return .constant(false) }
        return .all(of: [place(), rule.scope.filter.expression.map { lower($0, nil) } ?? .constant(true)])
    }

    /// The packet is seen at one of `points`.
    private func place() -> Condition {
        let known = Set(interfaces.keys)
        func interface(_ wanted: Set<InterfaceID>) -> Condition {
            wanted == known ? .constant(true) : .member(.interface, of: wanted.map(\.rawValue))
        }
        let ingress = Set(points.filter { $0.direction == .ingress }.map(\.interface))
        let egress = Set(points.filter { $0.direction == .egress }.map(\.interface))
        if ingress == egress { return interface(ingress) }
        return .any(of: [
            .all(of: [direction(.ingress), interface(ingress)]), .all(of: [direction(.egress), interface(egress)]),
        ])
    }

    private func direction(_ direction: Direction) -> Condition { .equal(.direction, direction.rawValue) }

    private mutating func lower(_ expression: Expression, _ layer: Layer?) -> Condition {
        switch expression {
        case .all(let parts):
            var conditions: [Condition] = []
            for part in parts { conditions.append(lower(part, layer)) }
            return .all(of: conditions)
        case .any(let parts): return lower(anyOf: parts, layer)
        case .not(let part): return .negation(of: lower(part, layer))
        case .layer(let layer, let part): return lower(part, layer)
        case .packet(let predicate): return lower(anyOf: [.packet(predicate)], layer)
        case .record(let predicate): return lower(predicate)
        }
    }

    /// Parts of an `or`, with those that ask for the same thing brought together: networks by side, ports by side and transport.
    private mutating func lower(anyOf parts: [Expression], _ layer: Layer?) -> Condition {
        var networks: [FlowFilter.Side: [IPPrefix]] = [:]
        var ports: [PortKind: [ClosedRange<UInt32>]] = [:]
        var others: [Condition] = []
        for part in flattened(parts) {
            switch part {
            case .packet(.host(let side, let address)):
                networks[side, default: []].append(IPPrefix(address, length: address.bitWidth)!)
            case .packet(.net(let side, let prefix)): networks[side, default: []].append(prefix)
            case .packet(.port(let side, let range, let transport)):
                ports[PortKind(side: side, transport: transport), default: []].append(UInt32(range.lowerBound)...UInt32(range.upperBound))
            case .packet(.netSet(let side, let name)):
                let prefixes = sets.named[name] ?? []
                others.append(Self.atLayers(layer) { sets.located(prefixes, side, $0) })
            case .packet(.ipProtocol(let number)): others.append(Self.atLayers(layer) { ipProtocol(number, $0) })
            case .packet(.etherType(let type)): others.append(Self.atLayers(layer) { etherType(type, $0) })
            default: others.append(lower(part, layer))
            }
        }
        // In a fixed order, so that the same policy always gives the same program.
        for side in FlowFilter.Side.allCases {
            for transport in [nil] + FlowFilter.Transport.allCases {
                guard let ranges = ports[PortKind(side: side, transport: transport)] else { continue }
                let merged = Condition.merged(ranges)
                others.append(Self.atLayers(layer) { port(side, merged, transport, $0) })
            }
            if let prefixes = networks[side].map(PrefixSetTable.minimal) {
                others.append(Self.atLayers(layer) { sets.located(prefixes, side, $0) })
            }
        }
        return .any(of: others)
    }

    private struct PortKind: Hashable {
        var side: FlowFilter.Side
        var transport: FlowFilter.Transport?
    }

    private func flattened(_ parts: [Expression]) -> [Expression] {
        parts.flatMap { if case .any(let inner) = $0 { flattened(inner) } else { [$0] } }
    }

    private static func atLayers(_ layer: Layer?, _ condition: (Layer) -> Condition) -> Condition {
        layer.map(condition) ?? .any(of: [condition(.outer), condition(.inner)])
    }

    private func port(
        _ side: FlowFilter.Side, _ ranges: [ClosedRange<UInt32>], _ transport: FlowFilter.Transport?, _ layer: Layer
    ) -> Condition {
        var ends: [Condition] = []
        if side != .destination { ends += ranges.map { .test(.range(.sourcePort(layer), $0)) } }
        if side != .source { ends += ranges.map { .test(.range(.destinationPort(layer), $0)) } }
        return .all(of: [
            .equal(.form(layer), TupleForm.ports.rawValue),
            transport.map { .equal(.ipProtocol(layer), $0.number.rawValue) } ?? .constant(true),
            .any(of: ends),
        ])
    }

    private func ipProtocol(_ number: IPProtocol, _ layer: Layer) -> Condition {
        .all(of: [
            .equal(.ipProtocol(layer), number.rawValue),
            .any(of: [etherType(.ipv4, layer), etherType(.ipv6, layer)]),
        ])
    }

    private func etherType(_ type: EtherType, _ layer: Layer) -> Condition {
        let test = Condition.equal(.etherType(layer), type.rawValue)
        // 0 is also what stands there without a tunnel.
        return layer == .inner && type.rawValue == 0 ? .all(of: [.equal(.encapsulation, 1), test]) : test
    }

    private func lower(_ predicate: FlowFilter.RecordPredicate) -> Condition {
        switch predicate {
        case .interface(let pattern):
            let meant = Set(points.map(\.interface))
            let matched = meant.filter { interfaces[$0].map(pattern.matches) ?? false }
            return matched == meant ? .constant(true) : .member(.interface, of: matched.map(\.rawValue))
        case .direction(let wanted):
            let directions = Set(points.map(\.direction))
            return directions == [wanted] ? .constant(true) : directions.contains(wanted) ? direction(wanted) : .constant(false)
        case .vlan(let identifier?):
            return .any(of: [.equal(.vlan, identifier | 0x1000), .equal(.innerVLAN, identifier | 0x1000)])
        case .vlan(nil):
            return .any(of: [.test(.bits(.vlan, mask: 0x1000, value: 0x1000)), .test(.bits(.innerVLAN, mask: 0x1000, value: 0x1000))])
        case .vxlan(let vni?): return .all(of: [.equal(.encapsulation, 1), .equal(.vni, vni)])
        case .vxlan(nil): return .equal(.encapsulation, 1)
        case .dscp(let codepoint): return .equal(.dscp, codepoint)
        case .tcpFlags(let flags):
            let mask = UInt32(flags.rawValue)
            return mask == 0 ? .constant(true) : .test(.bits(.tcpFlags, mask: mask, value: mask))
        // The compiler takes no rule that asks for one.
        case .application: return .constant(false)
        }
    }
}

extension FilterLowering {
    /// The places where a rule may apply, as far as interfaces and directions say.
    private func points(of rule: KernelRule) -> Set<FilterProgram.Point> {
        let expression = rule.scope.filter.expression
        let asks = expression?.asksForPlace ?? false
        var points: Set<FilterProgram.Point> = []
        for interface in rule.interfaces {
            guard let name = interfaces[interface] else { continue }
            for direction in rule.scope.direction.map({ [$0] }) ?? Direction.allCases
            where !asks || expression?.result(at: name, direction, sets.named) != false {
                points.insert(.init(interface, direction))
            }
        }
        return points
    }
}

extension FlowFilter.Expression {
    fileprivate var asksForPlace: Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.contains { $0.asksForPlace }
        case .not(let part), .layer(_, let part): part.asksForPlace
        case .record(.interface), .record(.direction), .packet(.netSet): true
        case .record, .packet: false
        }
    }

    /// What the filter comes to at a place whatever the packet; nil when that depends on it.
    fileprivate func result(at interface: String, _ direction: Direction, _ sets: [String: [IPPrefix]]) -> Bool? {
        switch self {
        case .all(let parts):
            let results = parts.map { $0.result(at: interface, direction, sets) }
            return results.contains(false) ? false : results.contains(nil) ? nil : true
        case .any(let parts):
            let results = parts.map { $0.result(at: interface, direction, sets) }
            return results.contains(true) ? true : results.contains(nil) ? nil : false
        case .not(let part): return part.result(at: interface, direction, sets).map { !$0 }
        case .layer(_, let part): return part.result(at: interface, direction, sets)
        case .record(.interface(let pattern)): return pattern.matches(interface)
        case .record(.direction(let wanted)): return wanted == direction
        case .packet(.netSet(_, let name)): return sets[name]?.isEmpty == false ? nil : false
        case .record, .packet: return nil
        }
    }
}

extension PrefixSetTable {
    /// An address of the layer lies in one of `prefixes`, of which none lies in another.
    fileprivate mutating func located(_ prefixes: [IPPrefix], _ side: FlowFilter.Side, _ layer: FlowFilter.Layer) -> FilterCondition {
        let ends = (side != .destination ? [false] : []) + (side != .source ? [true] : [])
        let addresses = ends.map { FilterProgram.Address(layer, isDestination: $0) }
        let families: [(EtherType, [IPPrefix])] = [
            (.ipv4, prefixes.filter(\.address.isV4)), (.ipv6, prefixes.filter { !$0.address.isV4 }),
        ]
        func family(_ type: EtherType) -> FilterCondition { .equal(.etherType(layer), type.rawValue) }
        if prefixes.count < FilterLowering.leastSet {
            return .any(
                of: families.map { type, prefixes in
                    let tests = addresses.flatMap { address in
                        prefixes.map { $0.length == 0 ? FilterCondition.constant(true) : .test(.prefix(address, $0)) }
                    }
                    return .all(of: [family(type), .any(of: tests)])
                })
        }
        let number = number(of: prefixes)
        return .all(of: [
            .any(of: families.filter { !$0.1.isEmpty }.map { family($0.0) }),
            .any(of: addresses.map { .test(.set($0, number)) }),
        ])
    }
}
