import Foundation
import TestSupport
import Testing

/// SIGHUP: the configuration is read again, and the counting goes on.
@Suite(.requires(.root, .clsact)) struct ReloadTests {
    @Test func whatCanChangeDoesAndTheRestIsNamed() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        try await pair.a.sendUDP(50, size: 10, to: Pair.addressB, port: 9)
        let id = try await site.interface("va").id
        let startedWith = try await site.status()
        try site.configure(interfaces: "va, lo", flows: 32768, export: "\n  - collector: 127.0.0.1:4739\nlog:\n  level: debug")
        kill(agent.pid, SIGHUP)
        try await agent.waitFor(output: "takes effect at the next start")
        let said = try agent.outputSoFar()
        #expect(said.contains("interfaces, export, log.level") && said.contains("datapath.flows"), "\(said)")
        #expect(Set(try await site.interfaces().map(\.name)) == ["va", "lo"])
        let now = try await site.status()
        #expect(now.pid == startedWith.pid && now.exports.count == 1 && now.collector.slots == startedWith.collector.slots)
        // The books go on.
        try await pair.a.sendUDP(7, size: 10, to: Pair.addressB, port: 9)
        let va = try await site.interface("va")
        #expect(va.id == id && va.egress.seen.skbs == 57)
        va.expectClosed()
        // And back: what is not chosen any more is left.
        try site.configure(interfaces: "va")
        kill(agent.pid, SIGHUP)
        let isAlone = try await eventually(within: .seconds(10)) { try await site.interfaces().map(\.name) == ["va"] }
        let exports = try await site.status().exports
        #expect(isAlone && exports.isEmpty)
        try await site.stop(agent, keep: false)
    }

    @Test func aFileWithAMistakeChangesNothing() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        let before = try await site.interfaces().map(\.id)
        try site.write("interfaces: [va, lo]\nflows:\n  intervall: 1s\n")
        kill(agent.pid, SIGHUP)
        try await agent.waitFor(output: "configuration not taken")
        let said = try agent.outputSoFar()
        #expect(said.contains("agent.yaml:3") && said.contains("intervall"), "\(said)")
        #expect(try await site.interfaces().map(\.id) == before)
        try FileManager.default.removeItem(atPath: site.configuration)
        kill(agent.pid, SIGHUP)
        try await agent.waitFor(output: "cannot be read")
        #expect(try await site.interfaces().map(\.id) == before)
        try await site.stop(agent, keep: false)
    }
}
