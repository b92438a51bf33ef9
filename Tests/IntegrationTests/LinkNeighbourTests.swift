import CLinux
import Foundation
import Reports
import TestSupport
import Testing

/// Systems that announce themselves on a link (LLDP), in the topology of a running agent.
@Suite(.requires(.root, .clsact)) struct LinkNeighbourTests {
    /// As a switch sends it, of the port Gi1/0/7 with that address.
    private func announcement(_ system: String, seconds: UInt16, port: [UInt8] = [5] + Array("Gi1/0/7".utf8)) -> Frame {
        let unit =
            lldpElement(1, [4, 0x52, 0x54, 0, 0x12, 0x34, 0x56]) + lldpElement(2, port)
            + lldpElement(3, [UInt8(seconds >> 8), UInt8(seconds & 0xFF)]) + lldpElement(4, Array("uplink of rack 7".utf8))
            + lldpElement(5, Array(system.utf8)) + lldpElement(6, Array("A switch".utf8)) + lldpElement(0, [])
        return Frame(EthernetHeader(from: Pair.macB, to: "01:80:c2:00:00:0e"), RawBytes(unit, etherType: 0x88cc))
    }

    /// What `nilo topology --json` tells.
    private func topology(_ site: AgentSite, _ options: String = "") async throws -> TopologyReport {
        try JSONDecoder().decode(TopologyReport.self, from: Data(try await site.nilo("topology --json \(options)").utf8))
    }

    private func wires(_ report: TopologyReport) -> [LinkReport] { report.links.filter { $0.kind == "wire" } }

    @Test func whoAnnouncesItselfIsAtTheOtherEndOfTheWire() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", applications: AgentSite.applicationsOn())
        let agent = try await site.start()
        try await site.waitForTopology()
        let isReady = try await eventually(within: .seconds(10)) {
            let isCounted = try await site.interfaces().contains { $0.name == "va" }
            let state = try await site.status().applications?.state
            return isCounted && state == "running"
        }
        #expect(isReady)
        #expect(try await wires(topology(site)).isEmpty)

        // One frame has to do: the next comes half a minute later.
        try await pair.b.send(announcement("core-1", seconds: 600), on: "vb")
        var map = try await topology(site)
        let isTold = try await eventually(within: .seconds(5)) {
            map = try await topology(site)
            return !wires(map).isEmpty
        }
        let status = try await site.status()
        let own = try #require(map.entities.first { $0.kind == "interface" && $0.name == "va" })
        #expect(isTold && wires(map).count == 1, "\(String(describing: status.applications))")
        let wire = try #require(wires(map).first)
        #expect(wire.layer == "physical" && wire.from == own.key && wire.to == "host/core-1/ns/init/if/Gi1%2f0%2f7", "\(wire)")
        let port = try #require(map.entities.first { $0.key == wire.to })
        #expect(port.kind == "interface" && port.name == "Gi1/0/7" && port.parent == "host/core-1/ns/init")
        #expect(map.entities.contains { $0.key == "host/core-1" && $0.kind == "host" && $0.name == "core-1" })
        #expect(map.entities.first { $0.key == "host/core-1/ns/init" }?.parent == "host/core-1")
        // It is no address that va has talked to.
        #expect(!map.links.contains { $0.kind == "neighbour" && $0.to == wire.to })
        #expect(try await wires(topology(site, "--layer physical")).map(\.key) == [wire.key])
        #expect(try await wires(topology(site, "--layer layer3")).isEmpty)
        #expect(try await site.nilo("topology").contains("core-1"))
        #expect(try await site.nilo("topology --format table").contains("wire"))

        // A port that is named by its address says what that is; its description names it.
        try await pair.b.send(announcement("core-2", seconds: 600, port: [3] + macBytes(Pair.macB)), on: "vb")
        let isMore = try await eventually(within: .seconds(5)) {
            map = try await topology(site)
            return wires(map).count == 2
        }
        let second = wires(map).first { $0.to.hasPrefix("host/core-2/") }
        #expect(isMore && second?.attributes["mac"] == .text(Pair.macB), "\(wires(map))")
        #expect(map.entities.first { $0.key == second?.to }?.name == "uplink of rack 7")

        // One says that it goes; the other is silent for longer than its word holds.
        try await pair.b.send(announcement("core-1", seconds: 0), on: "vb")
        try await pair.b.send(announcement("core-2", seconds: 2, port: [3] + macBytes(Pair.macB)), on: "vb")
        let isGone = try await eventually(within: .seconds(8)) {
            map = try await topology(site)
            return wires(map).isEmpty && !map.entities.contains { $0.key.hasPrefix("host/core-") }
        }
        #expect(isGone, "\(wires(map))")
        try await site.stop(agent, keep: false)
    }
}
