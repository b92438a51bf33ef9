import NetworkTypes
import TestSupport
import Testing

@testable import Topology

struct StateTests {
    /// Any state, with any field set or not.
    static func random(_ random: inout SplitMix64) -> EntityState {
        func maybe<T>(_ value: @autoclosure () -> T) -> T? { random.once(in: 2) ? value() : nil }
        func address() -> IPAddress { random.once(in: 2) ? .v4(UInt32(random.next() >> 32)) : .v6(high: random.next(), low: random.next()) }
        func prefix() -> IPPrefix {
            let address = address()
            return IPPrefix(address, length: Int.random(in: 0...address.bitWidth, using: &random))!
        }
        func text() -> String { random.pick(["", "a", "eth0", "ein längerer Name", String(repeating: "x", count: 300)]) }
        func mac() -> MACAddress { MACAddress(rawValue: random.next()) }
        switch Int.random(in: 0...12, using: &random) {
        case 0: return .plain
        case 1: return .host(HostState(kernel: text()))
        case 2: return .namespace(owner: text())
        case 3:
            var state = InterfaceState()
            state.kind = random.pick(["", "veth", "bridge", "vxlan", "team", "something new"])
            state.mtu = UInt32(random.next() >> 40)
            state.mac = maybe(mac())
            (state.isUp, state.hasCarrier, state.isLoopback) = (random.once(in: 2), random.once(in: 2), random.once(in: 2))
            state.vni = maybe(UInt32.random(in: 0..<1 << 24, using: &random))
            state.local = maybe(address())
            state.remote = maybe(address())
            state.port = maybe(4789)
            state.vlan = maybe(UInt16.random(in: 0...4095, using: &random))
            state.speed = maybe(random.next())
            state.alias = text()
            state.key = maybe(UInt32(random.next() >> 32))
            state.table = maybe(UInt32(random.next() >> 32))
            return .interface(state)
        case 4:
            let hops = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                RouteState.Nexthop(
                    interface: text(), gateway: maybe(address()), weight: random.pick([1, 2, 256]), isDead: random.once(in: 2))
            }
            return .route(
                RouteState(
                    kind: random.pick(RouteKind.allCases), origin: UInt8(random.next() >> 56), scope: .link,
                    preferredSource: maybe(address()), nexthops: hops))
        case 5:
            var rule = RoutingRule(family: random.pick([.ipv4, .ipv6]), priority: UInt32(random.next() >> 40))
            rule.action = random.pick(RoutingRule.Action.allCases)
            rule.table = UInt32(random.next() >> 32)
            rule.target = maybe(7)
            rule.isInverted = random.once(in: 2)
            rule.source = maybe(prefix())
            rule.destination = maybe(prefix())
            rule.tos = random.pick([0, 16])
            rule.mark = random.pick([0, 5])
            rule.markMask = random.pick([0, .max])
            rule.inputInterface = maybe(text())
            rule.outputInterface = maybe(text())
            rule.transport = maybe(.tcp)
            rule.sourcePorts = maybe(1...UInt16.max)
            rule.destinationPorts = maybe(80...80)
            rule.users = maybe(0...UInt32.max)
            rule.followsVRF = random.once(in: 2)
            rule.suppressedLength = random.pick([-1, 0, 24])
            rule.origin = 4
            return .rule(rule)
        case 6: return .security(text())
        case 7: return .network(NetworkState(isKernelMade: random.once(in: 2), prefixes: Set((0..<3).map { _ in prefix() }).sorted()))
        case 8:
            return .endpoint(
                EndpointState(
                    mac: maybe(mac()), name: text(), isLocal: random.once(in: 2), isRouter: random.once(in: 2),
                    isBroadcast: random.once(in: 2)))
        case 9: return .zone(Set((0..<3).map { _ in prefix() }).sorted())
        case 10:
            return .attachment(
                AttachmentState(
                    prefixLength: 24, peer: maybe(address()), scope: random.pick([.global, .link]), isUsable: random.once(in: 2)))
        case 11: return .station(StationState(mac: maybe(mac()), vlan: maybe(7), isPermanent: random.once(in: 2)))
        default: return .wire(WireState(capacity: maybe(random.next())))
        }
    }

    @Test func everyStateIsReadBack() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<5000 {
            let state = Self.random(&random)
            #expect(EntityState(encoded: state.encoded) == state)
        }
    }

    @Test func cutAnywhereItIsNoState() {
        var random = SplitMix64(seed: 2)
        for _ in 0..<200 {
            let bytes = Self.random(&random).encoded
            for count in 0..<bytes.count { #expect(EntityState(encoded: Array(bytes.prefix(count))) == nil) }
            #expect(EntityState(encoded: bytes + [0]) == nil)
        }
    }

    /// Whatever is read from damaged bytes is written as those bytes: no two forms of one state.
    @Test func damagedBytesNeverTrapNorHaveASecondForm() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<20_000 {
            var bytes = Self.random(&random).encoded
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(random.next() >> 56)
            }
            if let state = EntityState(encoded: bytes) { #expect(state.encoded == bytes) }
        }
        for _ in 0..<20_000 {
            let bytes = [1, UInt8.random(in: 0...13, using: &random)] + random.bytes(Int.random(in: 0...40, using: &random))
            if let state = EntityState(encoded: bytes) { #expect(state.encoded == bytes) }
        }
    }

    @Test func aTypicalInterfaceIsSmall() {
        var link = LinkFact(index: 7, name: "veth12ab", kind: "veth", mac: MACAddress("52:54:00:12:34:56"))
        #expect(EntityState.interface(InterfaceState(link)).encoded.count <= 16)
        link.kind = "vxlan"
        link.vxlan = LinkFact.VXLAN(vni: 100, local: IPAddress("192.0.2.1"))
        link.alias = "uplink"
        #expect(EntityState.interface(InterfaceState(link)).encoded.count <= 40)
    }
}
