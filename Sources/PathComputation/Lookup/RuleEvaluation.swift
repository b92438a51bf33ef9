import NetworkTypes
import Topology

/// What the rules look at in a packet; numbers as in struct flowi: 0 for no interface, loopback for what is made here.
struct RuledFlow {
    var query: RouteQuery
    var input: Int32
    var output: Int32
    /// The VRF of the interface that the packet came in or goes out by.
    var vrf: LinkState?
}

/// What a table made of a packet.
enum TableOutcome<Found> {
    case found(Found, prefixLength: Int)
    case failed(LookupFailure)
    /// Nothing there, or a `throw` route: the next rule is asked.
    case next
}

extension RoutingTables {
    func ruledFlow(_ query: RouteQuery) -> RuledFlow {
        var flow = RuledFlow(query: query, input: query.inputInterface ?? loopback, output: query.outputInterface ?? 0, vrf: nil)
        if let bound = query.outputInterface {
            flow.vrf = namespace.vrf(of: bound)
            // Bound to the VRF itself: its table is meant, not a route out of that device.
            if flow.vrf?.index == bound { flow.output = 0 }
        } else if let input = query.inputInterface {
            flow.vrf = namespace.vrf(of: input)
        }
        return flow
    }

    /// Asks table after table as the rules say (fib_rules_lookup, net/core/fib_rules.c).
    func followRules<Found>(_ flow: RuledFlow, ask: (UInt32) -> TableOutcome<Found>) throws(LookupFailure) -> (Found, rule: UInt32) {
        let rules = flow.query.isV4 ? rulesV4 : rulesV6
        var i = 0
        while i < rules.count {
            let rule = rules[i]
            i += 1
            guard matches(rule, flow) else { continue }
            switch rule.action {
            case .goto:
                // To the first rule of that priority, which lies ahead; nowhere while there is none.
                if let target = rule.target, target > rule.priority, let there = rules.firstIndex(where: { $0.priority == target }) {
                    i = there
                }
            case .nothing: break
            case .blackhole: throw .blackhole
            case .unreachable: throw .noRoute
            case .prohibit: throw .prohibited
            case .table:
                guard let table = table(of: rule, flow) else { continue }
                switch ask(table) {
                case .next: continue
                case .failed(let failure): throw failure
                case .found(_, let length) where length <= Int(rule.suppressedLength): continue
                case .found(let found, _): return (found, rule.priority)
                }
            }
        }
        throw .noRoute
    }

    private func table(of rule: RoutingRule, _ flow: RuledFlow) -> UInt32? {
        if !rule.followsVRF { return rule.table }
        guard case .vrf(let table)? = flow.vrf?.kind else { return nil }
        return table
    }

    private func matches(_ rule: RoutingRule, _ flow: RuledFlow) -> Bool { selects(rule, flow) != rule.isInverted }

    private func selects(_ rule: RoutingRule, _ flow: RuledFlow) -> Bool {
        let query = flow.query
        // A name without an interface matches nothing.
        if let name = rule.inputInterface, !isInterface(name, flow.input, flow.vrf) { return false }
        if let name = rule.outputInterface, flow.output == 0 || !isInterface(name, flow.output, flow.vrf) { return false }
        if (rule.mark ^ query.mark) & rule.markMask != 0 { return false }
        if rule.followsVRF, flow.vrf == nil { return false }
        if let users = rule.users, !users.contains(query.user) { return false }
        if let prefix = rule.source, prefix.length > 0, !(query.source.map { prefix.contains($0) } ?? false) { return false }
        if let prefix = rule.destination, !prefix.contains(query.destination) { return false }
        if rule.tos != 0 {
            // IPv4 compares without the three precedence bits, IPv6 the whole DSCP.
            guard query.isV4 ? rule.tos == query.tos & 0x1C : rule.tos & 0xFC == query.tos & 0xFC else { return false }
        }
        if let transport = rule.transport, transport != query.transport { return false }
        if let ports = rule.sourcePorts, !ports.contains(query.sourcePort) { return false }
        if let ports = rule.destinationPorts, !ports.contains(query.destinationPort) { return false }
        return true
    }

    private func isInterface(_ name: String, _ number: Int32, _ vrf: LinkState?) -> Bool {
        numbers[name] == number || (vrf?.name == name)
    }
}
