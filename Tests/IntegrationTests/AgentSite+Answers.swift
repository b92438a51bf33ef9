import API
import Flows
import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// What the running agent says.
extension AgentSite {
    /// What the commands grant it.
    static let answerTime = Duration.seconds(10).stretched

    func get<T: Decodable & Sendable>(_ path: String, _ query: [(String, String)] = [], as type: T.Type = T.self) async throws -> T {
        let socket = readSocket
        let bytes = try await onOwnThread { try ControlClient(socket: socket).get(path, query: query, timeout: Self.answerTime) }
        return try JSONDecoder().decode(type, from: Data(bytes))
    }

    /// An agent that has just begun says that it does not know the topology yet.
    func waitForTopology() async throws {
        _ = try await eventually(within: .seconds(20)) { try await status().topology?.nodes ?? 0 > 0 }
    }

    func status() async throws -> StatusReport { try await get("/v1/status") }

    func flows(_ filter: String = "") async throws -> [FlowReport] {
        let list: FlowListReport = try await get("/v1/flows", [("filter", filter), ("top", "1000000")])
        #expect(list.flows.count == list.matched)
        return list.flows
    }

    func interfaces(closed: Bool = false) async throws -> [InterfaceReport] {
        let list: InterfaceListReport = try await get("/v1/interfaces", [("closed", closed ? "1" : "0")])
        return list.interfaces
    }

    /// The one interface of that name.
    func interface(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> InterfaceReport {
        let all = try await interfaces()
        let found = all.filter { $0.name == name }
        #expect(found.count == 1, "\(all.map(\.name))", sourceLocation: sourceLocation)
        return try #require(found.first, sourceLocation: sourceLocation)
    }

    func metrics() async throws -> String { try await namespace.sh("curl -sS --fail http://127.0.0.1:9411/metrics") }
}

extension InterfaceReport {
    func ledger(_ direction: Direction) -> LedgerReport { direction == .ingress ? ingress : egress }

    var isClosed: Bool {
        [ingress, egress].allSatisfy {
            $0.unaccounted.isZero && $0.unaccountedWire.isZero && $0.notSeenAtHook == .init(packets: 0, bytes: 0)
        }
    }

    /// Both directions to the last packet and byte, with nothing left over that has no name.
    func expectClosed(sourceLocation: SourceLocation = #_sourceLocation) {
        for (direction, ledger) in [("ingress", ingress), ("egress", egress)] {
            #expect(
                ledger.unaccounted.isZero && ledger.unaccountedWire.isZero && ledger.notSeenAtHook == .init(packets: 0, bytes: 0),
                "\(name) \(direction): \(ledger)", sourceLocation: sourceLocation)
        }
    }
}

extension Totals {
    init(plain packets: Int, bytes: Int) {
        self.init(skbs: UInt64(packets), skbBytes: UInt64(bytes), wirePackets: UInt64(packets), wireBytes: UInt64(bytes))
    }

    func counted(onTheWire: Bool) -> InterfaceCounters.Direction {
        onTheWire ? .init(packets: wirePackets, bytes: wireBytes) : .init(packets: skbs, bytes: skbBytes)
    }
}

/// Both directions of a device since a moment.
struct CountedDevice {
    let name: String
    let namespace: NetworkNamespace
    private let before: InterfaceCounters

    init(_ name: String, in namespace: NetworkNamespace) async throws {
        self.name = name
        self.namespace = namespace
        before = try await namespace.counters(of: name)
    }

    /// Without drops: whether the host had a use for a packet is not the agent's concern.
    func counts() async throws -> (received: InterfaceCounters.Direction, sent: InterfaceCounters.Direction) {
        let now = try await namespace.counters(of: name) - before
        return (.init(packets: now.received.packets, bytes: now.received.bytes), .init(packets: now.sent.packets, bytes: now.sent.bytes))
    }

    /// The flows that the agent tells of add up to the device's counters, to the packet and byte, and the ledger closes.
    /// - Parameter onTheWire: directions in which the device counts what is on the wire.
    func expectAgreement(of site: AgentSite, onTheWire: Set<Direction> = [], sourceLocation: SourceLocation = #_sourceLocation) async throws
    {
        func told() async throws -> [InterfaceCounters.Direction] {
            let flows = try await site.flows().filter { $0.interface == name }
            return [Direction.ingress, .egress].map { direction in
                flows.filter { $0.direction == direction.name }.map(\.totals.totals).reduce(Totals(), +)
                    .counted(onTheWire: onTheWire.contains(direction))
            }
        }
        func device() async throws -> [InterfaceCounters.Direction] {
            let counts = try await counts()
            return [counts.received, counts.sent]
        }
        // The last acknowledgement may still be on its way.
        _ = try await eventually(within: .seconds(3)) { try await told() == device() }
        #expect(try await told() == device(), sourceLocation: sourceLocation)
        try await site.interface(name, sourceLocation: sourceLocation).expectClosed(sourceLocation: sourceLocation)
    }
}

/// How programs can be attached on this kernel.
enum Hooks {
    static let all: [String] = Self.hasTCX ? ["tcx", "clsact"] : ["clsact"]

    /// A kernel without tcx finds fault with the kind of link, one with tcx with the interface, which does not exist.
    private static let hasTCX: Bool = {
        do { close(try TinyProgram.passing().attachTCX(0x7fff_fff0, ingress: true)) } catch {
            // Without privileges the suites are skipped as a whole.
            return (error as? SystemError)?.code == ENODEV
        }
        return true
    }()
}
