import Flows
import TestSupport
import Testing

@testable import Datapath

/// Each namespace has an instance of the programs of its own.
@Suite(.requires(.root, .clsact)) struct NamespaceTests {
    @Test func instancesThatWereLoadedTogetherServeANamespaceEach() async throws {
        let probe = try Probe(.auto)
        var pairs: [Pair] = []
        for _ in 0..<3 { pairs.append(try await Pair()) }
        try await probe.perform(in: pairs[0].a) { try $0.prepare(namespaces: 6) }
        for (number, pair) in pairs.enumerated() {
            let (a, b) = (try await probe.attach("va", in: pair.a), try await probe.attach("vb", in: pair.b))
            try await pair.a.sendUDP(10 + number, size: 10, to: Pair.addressB, port: 9)
            let arrived = try await eventually(within: .seconds(3)) {
                let (sent, received) = (try await probe.books(a, .egress).seen.skbs, try await probe.books(b, .ingress).seen.skbs)
                return sent == 10 + UInt64(number) && received == sent
            }
            #expect(arrived)
        }
        for direction in [Direction.ingress, .egress] { #expect(await probe.unknownBooks(direction).seen.isZero) }
    }
}
