import Flows
import Foundation
import Glibc
import NetworkTypes
import Reports
import Testing

@testable import Commands

/// The owner of a flow, as `nilo flows --owners` tells it.
@Suite struct FlowOwnersTests {
    @Test func ownSocketIsNamedAndOthersAreNot() throws {
        let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, size) == 0 && getsockname(fd, $0, &size) == 0 }
        }
        try #require(bound)
        let port = UInt16(bigEndian: address.sin_port)
        func flow(_ source: UInt16, _ destination: UInt16, _ direction: Direction, _ protocol: IPProtocol = .udp) -> FlowReport {
            let tuple = FlowTuple(
                source: .v4(0x7F00_0001), destination: .v4(0x7F00_0001), sourcePort: source, destinationPort: destination,
                protocol: `protocol`,
                form: .ports, etherType: .ipv4)
            let now = Timestamp(nanoseconds: 0)
            return FlowReport(
                FlowReading(
                    record: FlowRecord(
                        key: FlowKey(outer: tuple, interface: InterfaceID(rawValue: 1), direction: direction), totals: Totals(),
                        transport: TransportCounts(), traits: FlowTraits(first: now, last: now))), interface: "lo")
        }
        var list = FlowListReport(
            at: Timestamp(nanoseconds: 0), interval: .zero, filter: .everything, order: FlowOrder(.bytes), matched: 4, known: 4,
            flows: [flow(port, 9, .egress), flow(9, port, .ingress), flow(9, port, .egress, .tcp), flow(1, 2, .egress, .sctp)])
        var owners = FlowOwners()
        owners.name(&list)
        for owned in list.flows[..<2] { #expect(owned.owner?.contains("(\(getpid()))") == true, "\(owned.owner ?? "nil")") }
        #expect(list.flows[2].owner == "unknown: no socket")
        #expect(list.flows[3].owner == "unknown: neither TCP nor UDP")
    }
}
