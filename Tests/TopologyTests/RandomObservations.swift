import NetworkTypes
import TestSupport

@testable import Topology

/// A run of observations of all kinds about a few namespaces, and what holds after them: a second way to the same truth.
struct RandomObservations {
    var random: SplitMix64
    /// What is so now: what a dump of every namespace would say.
    private(set) var namespaces: [UInt64: NamespaceFact] = [:]
    private(set) var facts: [UInt64: [FactIdentity: Fact]] = [:]
    private(set) var security: [UInt64: String] = [:]
    private(set) var declarations = Declarations()

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// Everything that holds, told from nothing, in an order of its own.
    mutating func fromNothing() -> [Observation] {
        var found: [Observation] = [.host(name: "h", HostState()), .configured(declarations)]
        found += namespaces.values.map { .namespace($0) }
        found += facts.map { .resynchronised($1.values.shuffled(using: &random), in: $0) }
        found += security.map { .security($1, in: $0) }
        return found.shuffled(using: &random)
    }

    mutating func next() -> Observation {
        let cookie = UInt64.random(in: 1...4, using: &random)
        switch Int.random(in: 0..<24, using: &random) {
        case 0:
            namespaces[cookie] = nil
            facts[cookie] = nil
            security[cookie] = nil
            return .namespaceGone(cookie: cookie)
        case 1, 2:
            let fact = NamespaceFact(cookie: cookie, name: random.pick(["a", "b", "c"]), owner: random.pick(["", "x"]))
            namespaces[cookie] = fact
            return .namespace(fact)
        case 3:
            security[cookie] = random.pick(["", "table inet f", "drop"])
            return .security(security[cookie]!, in: cookie)
        case 4:
            declarations = Declarations(
                networks: random.once(in: 2) ? [.init(name: "d", prefixes: [IPPrefix("10.0.0.0/30")!])] : [],
                zones: random.once(in: 2) ? [.init(name: "z", networks: [.vni(1)])] : [])
            return .configured(declarations)
        case 5:
            var dump = facts[cookie] ?? [:]
            for identity in Array(dump.keys) where random.once(in: 3) { dump[identity] = nil }
            for _ in 0..<3 {
                let fact = self.fact()
                dump[fact.identity] = fact
            }
            facts[cookie] = dump
            return .resynchronised(Array(dump.values), in: cookie)
        case 6..<11:
            guard let identity = facts[cookie]?.keys.map({ ("\($0)", $0) }).min(by: { $0.0 < $1.0 })?.1 else { return appear(cookie) }
            facts[cookie]![identity] = nil
            if case .link(let index) = identity { facts[cookie] = facts[cookie]!.filter { !$0.value.isOn(index) } }
            return .vanished(identity, in: cookie)
        default: return appear(cookie)
        }
    }

    private mutating func appear(_ cookie: UInt64) -> Observation {
        let fact = self.fact()
        facts[cookie, default: [:]][fact.identity] = fact
        return .appeared(fact, in: cookie)
    }

    private mutating func number(_ range: ClosedRange<Int32>) -> Int32 { Int32.random(in: range, using: &random) }
    private mutating func address() -> IPAddress {
        random.once(in: 5)
            ? .v6(high: 0xfd00 << 48, low: UInt64(number(1...4)))
            : .v4(0x0A00_0000 + UInt32(number(0...1)) << 8 + UInt32(number(1...6)))
    }
    private mutating func mac() -> MACAddress { MACAddress(rawValue: 0x0200_0000_0000 + UInt64(number(0...6))) }

    private mutating func fact() -> Fact {
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<6: return .link(link())
        case 6, 7, 8:
            let address = address()
            return .address(InterfaceAddress(interface: number(1...6), address: address, prefixLength: address.isV4 ? 24 : 64))
        case 9, 10:
            let hops = (0..<random.pick([0, 1, 1, 2])).map { _ in
                Nexthop(interface: number(1...6), gateway: random.once(in: 2) ? address() : nil)
            }
            return .route(
                Route(
                    table: random.pick([254, 100]), destination: IPPrefix(.v4(UInt32(number(10...12)) << 24), length: 8)!,
                    metric: random.pick([0, 100]), nexthops: hops, nexthopObject: hops.isEmpty ? UInt32(number(1...3)) : nil))
        case 11: return .rule(RoutingRule(family: .ipv4, priority: UInt32(number(1...3)), table: 100))
        case 12:
            let id = UInt32(number(1...3))
            return .nexthop(
                random.once(in: 2)
                    ? NexthopObject(id: id, nexthop: Nexthop(interface: number(1...6), gateway: address()))
                    : NexthopObject(id: id, group: [.init(id: UInt32(number(1...3)), weight: 2)]))
        case 13:
            return .neighbour(
                Neighbour(interface: number(1...6), address: address(), mac: mac(), state: random.pick([.stale, .failed])))
        case 14: return .forwarding(ForwardingEntry(interface: number(1...6), mac: mac(), bridge: number(1...6)))
        default:
            let mac = random.once(in: 2) ? mac() : MACAddress(rawValue: 0)
            return .forwarding(ForwardingEntry(interface: number(1...6), mac: mac, vtep: address()))
        }
    }

    private mutating func link() -> LinkFact {
        let index = number(1...6)
        var link = LinkFact(index: index, name: random.pick(["e\(index)", "x"]), mtu: random.pick([1500, 9000]), mac: mac())
        link.isUp = !random.once(in: 4)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: link.kind = "bridge"
        case 1:
            link.kind = "veth"
            link.peer = number(1...6)
            link.peerNamespace = random.once(in: 4) ? nil : UInt64(number(1...4))
        case 2:
            link.kind = "vxlan"
            link.vxlan = LinkFact.VXLAN(
                vni: UInt32(number(1...2)), local: random.once(in: 2) ? address() : nil, remote: random.once(in: 2) ? address() : nil,
                underlay: random.once(in: 2) ? number(1...6) : nil)
        case 3:
            link.kind = "vlan"
            link.vlan = 7
            link.peer = number(1...6)
        case 4: link.isLoopback = true
        default: link.kind = random.pick(["", "macvlan"])
        }
        if random.once(in: 2) { link.master = number(1...6) }
        return link
    }
}
