import Foundation
import TestSupport
import Testing

extension Requirement {
    static let postgres = Requirement("PostgreSQL's server") { _ = try await onOwnThread { try sh("ls /usr/lib/postgresql/*/bin/initdb") } }
    static let nginx = Requirement("nginx") { _ = try await onOwnThread { try sh("PATH=$PATH:/usr/sbin; command -v nginx") } }
    static let dnsmasq = Requirement("dnsmasq") { _ = try await onOwnThread { try sh("PATH=$PATH:/usr/sbin; command -v dnsmasq") } }
}

extension AcceptanceLab {
    /// Builds a lab, has an agent watch it, and takes it all away when the test is over.
    /// - Parameters:
    ///   - applications: as in the agent's configuration.
    ///   - hasServers: with the servers, all of whom were asked.
    static func watched(
        applications: String = "off", hasServers: Bool = true,
        _ body: (inout AcceptanceLab, AgentSite) async throws -> Void
    ) async throws {
        var lab = AcceptanceLab(in: try await NetworkNamespace())
        let site = try AgentSite(in: lab.home)
        do {
            try await lab.build()
            let servers = hasServers ? try LabServers(site.directory) : nil
            let running = try await servers?.start(lab) ?? []
            try site.configure(
                interfaces: "all-but-loopback", namespaces: "\"\(lab.prefix)*\"", flows: 8192, ledgers: 128, applications: applications)
            let agent = try await site.start()
            try await site.waitForTopology()
            try await servers?.ask(&lab)
            try await body(&lab, site)
            try await site.stop(agent, keep: false)
            for server in running.reversed() { try server.stop() }
        } catch {
            try await lab.remove()
            throw error
        }
        try await lab.remove()
    }

    /// The host name that the map has.
    func machine() async throws -> String { try await home.sh("uname -n").trimmingCharacters(in: .whitespacesAndNewlines) }
}

extension AgentSite {
    /// The whole map, of now or of a moment.
    func map(at moment: String? = nil) async throws -> DiscoveredMap {
        try await get("/v1/topology", [("top", "100000")] + (moment.map { [("at", $0)] } ?? []))
    }
}
