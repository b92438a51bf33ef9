import NetworkTypes
import PathComputation
import TestSupport
import Testing
import Topology

/// Changes predicted on what was read from a kernel, made there, and read again.
@Suite(.requires(.root), .serialized) struct ConsequenceTests {
    struct Step: Sendable, CustomTestStringConvertible {
        /// For the parser; `here:` is the namespace, `far:` the one with the other ends.
        var changes: [String]
        /// The same for sh, in the namespace and in the other one.
        var here: String
        var there: String
        var testDescription: String { changes.joined(separator: ", ") }
    }

    static let steps: [Step] = [
        Step(changes: ["link down here:d1"], here: "ip link set dev d1 down", there: ""),
        Step(changes: ["link down far:p1"], here: "", there: "ip link set dev p1 down"),
        Step(
            changes: ["link down here:d1", "link up here:d1"], here: "ip link set dev d1 down; ip link set dev d1 up", there: ""),
        Step(
            changes: ["link down far:p2", "link up far:p2", "link down here:d0"], here: "ip link set dev d0 down",
            there: "ip link set dev p2 down; sleep 1.5; ip link set dev p2 up"),
        Step(changes: ["del address 192.168.2.77/24 dev here:d2"], here: "ip addr del 192.168.2.77/24 dev d2", there: ""),
        Step(changes: ["del address 192.168.2.1/24 dev here:d2"], here: "ip addr del 192.168.2.1/24 dev d2", there: ""),
        Step(changes: ["add address 10.77.0.1/16 dev here:d3"], here: "ip addr add 10.77.0.1/16 dev d3", there: ""),
        Step(changes: ["add address 192.168.3.9/24 dev here:d3"], here: "ip addr add 192.168.3.9/24 dev d3", there: ""),
        Step(changes: ["del address 2001:db8:2::77/64 dev here:d2"], here: "ip -6 addr del 2001:db8:2::77/64 dev d2", there: ""),
        Step(changes: ["add address 2001:db8:99::1/64 dev here:d2"], here: "ip -6 addr add 2001:db8:99::1/64 dev d2 nodad", there: ""),
        Step(changes: ["remove node far"], here: "for i in 0 1 2 3; do ip link del dev d$i; done", there: ""),
    ]

    /// Without what a dump may order at will or the kernel makes by itself.
    private static func comparable(_ state: NamespaceState) -> (
        routes: [String], addresses: Set<InterfaceAddress>, objects: [UInt32: NexthopObject]
    ) {
        let routes = state.routes.map { route in
            let ways = route.nexthops.map {
                "\($0.interface ?? 0) \($0.gateway.map(\.description) ?? "-") \($0.weight) \($0.isDead ? "dead" : "")"
            }
            let source = route.preferredSource.map(\.description) ?? "-"
            return
                "\(route.table) \(route.destination) \(route.source.map(\.description) ?? "") \(route.tos) \(route.metric) \(route.kind) "
                + "\(source) \(route.scope.rawValue) \(route.nexthopObject ?? 0) \(ways)"
        }
        return (routes.sorted(), Set(state.addresses), state.nexthopObjects)
    }

    @Test(arguments: steps, [true, false]) func kernelDoesTheSame(step: Step, isV4: Bool) async throws {
        var routes = RandomRoutes(
            random: SplitMix64(seed: UInt64(step.testDescription.utf8.count)), isV4: isV4, interfaces: RouteLookupTests.interfaces)
        let (here, far) = try await RouteLookupTests.makeNamespace(&routes, disturbed: false)
        func read() async throws -> NetworkState {
            var state = NetworkState([
                try await KernelReader(namespace: here, name: "here").read(), try await KernelReader(namespace: far, name: "far").read(),
            ])
            for n in 0..<4 {
                guard let a = state.namespaces["here"]?.link(named: "d\(n)")?.index,
                    let b = state.namespaces["far"]?.link(named: "p\(n)")?.index
                else { continue }
                state.namespaces["here"]?.links[a]?.kind = .veth(peer: LinkPlace(namespace: "far", interface: b))
                state.namespaces["far"]?.links[b]?.kind = .veth(peer: LinkPlace(namespace: "here", interface: a))
            }
            return state
        }
        var predicted = try await read()
        for change in step.changes { predicted = try predicted.applying(ChangeParser.parse(change)).0 }
        if !step.there.isEmpty { try await far.sh(step.there) }
        if !step.here.isEmpty { try await here.sh(step.here) }
        let expected = Self.comparable(predicted.namespaces["here"]!)
        // A carrier comes and goes a moment later.
        var found = Self.comparable(try await read().namespaces["here"]!)
        let settled = try await eventually(within: .seconds(4)) {
            let state = try await read().namespaces["here"]!
            found = Self.comparable(state)
            return found.routes == expected.routes && found.addresses == expected.addresses && found.objects == expected.objects
                && state.links.mapValues(\.isUp) == predicted.namespaces["here"]!.links.mapValues(\.isUp)
                && state.links.mapValues(\.hasCarrier) == predicted.namespaces["here"]!.links.mapValues(\.hasCarrier)
        }
        #expect(settled)
        #expect(expected.addresses == found.addresses)
        #expect(expected.objects == found.objects)
        let (more, less) = (Set(expected.routes).subtracting(found.routes), Set(found.routes).subtracting(expected.routes))
        #expect(more.isEmpty, "predicted, but the kernel has not")
        #expect(less.isEmpty, "the kernel has, but not predicted")
        #expect(expected.routes.count > (step.changes == ["remove node far"] ? 0 : 20))
    }
}
