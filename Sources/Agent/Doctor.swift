import API
import Configuration
import Datapath
import FoundationEssentials
import Glibc
import Netlink
import NetworkTypes
import Reports

/// Examines the machine for what the agent needs. It looks, and tries things in maps and a namespace of its own; it changes nothing.
public struct Doctor {
    public typealias Check = DoctorReport.Check
    let configuration: AgentConfiguration

    public init(_ configuration: AgentConfiguration) { self.configuration = configuration }

    /// All checks. Takes the time of loading the flow programs once and, for collectors with names, of resolving them.
    public func examine() -> DoctorReport {
        let status = agentStatus()
        let loading = Result { () throws(BPFError) in try DatapathProbe.load() }
        var counted: [String]?
        if case .success = status { counted = try? countedInterfaces() }
        let (interfaceCheck, interfaces) = self.interfaces(countedByAgent: counted)
        var checks = [
            privileges(), kernel(), jit(loading), programs(loading), hook(loading), btf(), dropReasons(), bpffs(), pins(), statistics(),
            memory(),
            interfaceCheck, runDirectory(), clock(),
        ]
        checks += policyChecks()
        checks += configuration.export.map(collector)
        checks.append(agent(status))
        if case .success = status { checks.append(ledgers()) }
        return DoctorReport(version: AgentProcess.version, checks: checks, interfaces: interfaces)
    }

    // MARK: The agent

    private var client: ControlClient { ControlClient(socket: configuration.control.socket) }

    private func agentStatus() -> Result<StatusReport, any Error> {
        Result { try JSONDecoder().decode(StatusReport.self, from: Data(try client.get("/v1/status"))) }
    }

    private func agent(_ status: Result<StatusReport, any Error>) -> Check {
        switch status {
        case .success(let agent):
            let found = "version \(agent.version), pid \(agent.pid), records of version \(agent.recordVersion)"
            if agent.recordVersion != DatapathProbe.recordVersion {
                return Check(
                    "agent", .fail, found + ", ours \(DatapathProbe.recordVersion)",
                    fix: "restart it: nilo stop, nilo cleanup, nilo agent (its counters are lost)")
            }
            if agent.version != AgentProcess.version {
                return Check("agent", .warn, found + "; this is \(AgentProcess.version)", fix: "restart it: systemctl restart nilo")
            }
            return Check("agent", .ok, found)
        case .failure(let error as ControlClientError):
            if case .notRunning = error { return Check("agent", .ok, "not running") }
            return Check("agent", error.exitCode == 3 ? .warn : .fail, error.description, fix: error.hint)
        case .failure(let error):
            return Check("agent", .fail, "its answer is not understood: \(error)", fix: "restart it: systemctl restart nilo")
        }
    }

    private func interfaceList() throws -> InterfaceListReport {
        try JSONDecoder().decode(InterfaceListReport.self, from: Data(try client.get("/v1/interfaces")))
    }

    private func countedInterfaces() throws -> [String] { try interfaceList().interfaces.map(\.qualifiedName) }

    private func ledgers() -> Check {
        do {
            let list = try interfaceList()
            let open = list.interfaces.filter { !$0.ingress.closes || !$0.egress.closes }.map(\.qualifiedName)
            let differing = list.interfaces.filter { $0.ingress.agreesWithDevice == false || $0.egress.agreesWithDevice == false }.map(
                \.qualifiedName)
            if !open.isEmpty {
                return Check(
                    "ledger", .fail, "does not close: \(open.joined(separator: ", "))", fix: "report it with: nilo interfaces --ledger")
            }
            if !differing.isEmpty {
                return Check(
                    "ledger", .warn, "closes; the device counts differently: \(differing.joined(separator: ", "))",
                    fix: "see the terms: nilo interfaces --ledger")
            }
            return Check("ledger", .ok, "closes on \(list.interfaces.count) interfaces, both ways")
        } catch { return Check("ledger", .fail, "could not be read: \(error)", fix: "see the agent's log: journalctl -u nilo") }
    }

    // MARK: Around it

    private func collector(_ export: AgentConfiguration.Export) -> Check {
        let name = "export \(export.collector)"
        var hints = addrinfo()
        hints.ai_socktype = Int32(export.transport == .udp ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(export.collector.host, String(export.collector.port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0, let first = list else {
            return Check(
                name, .fail, "\(export.collector.host): \(String(cString: gai_strerror(code)))", fix: "correct export.collector, or DNS")
        }
        var host = [CChar](repeating: 0, count: 128)
        getnameinfo(first.pointee.ai_addr, first.pointee.ai_addrlen, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
        let address = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return Check(name, .ok, "\(address), over \(export.transport.rawValue.uppercased())")
    }

    private func runDirectory() -> Check {
        let directory = configuration.control.socket.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        if access(directory, F_OK) == 0 {
            return access(directory, W_OK) == 0
                ? Check("run directory", .ok, "\(directory) can be written to")
                : Check("run directory", .fail, "\(directory): \(String(cString: strerror(errno)))", fix: "run as root")
        }
        let above = directory.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        return access(above.isEmpty ? "/" : above, W_OK) == 0
            ? Check("run directory", .ok, "\(directory) will be made")
            : Check("run directory", .fail, "\(directory) cannot be made: \(String(cString: strerror(errno)))", fix: "run as root")
    }

    private func clock() -> Check {
        let milliseconds = DatapathProbe.jiffy.components.attoseconds / 1_000_000_000_000_000
        return Check("clock", .ok, "first and last seen of a flow to \(milliseconds) ms (one jiffy)")
    }
}
