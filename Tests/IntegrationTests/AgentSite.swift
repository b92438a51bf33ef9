import API
import CLinux
import Foundation
import Reports
import TestSupport
import Testing

/// A place for agents to run, one after the other (or two at once): a directory with the configuration, the sockets, a bpffs and the audit
/// log, and the network namespace that they are started in. Everything goes when it is released.
final class AgentSite: Sendable {
    let namespace: NetworkNamespace
    let directory: String

    init(in namespace: NetworkNamespace) throws {
        self.namespace = namespace
        var name = Array("/tmp/nilo-site.XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw SystemError("mkdtemp") }
        directory = name.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        // For agents that are started as somebody else.
        chmod(directory, 0o755)
        for part in ["bpf", "log", "lib", "policy.d"] where mkdir("\(directory)/\(part)", 0o755) != 0 {
            throw SystemError("mkdir \(directory)/\(part)")
        }
        if lx_mount_bpffs("\(directory)/bpf") != 0 { throw SystemError("mount a bpffs") }
    }

    deinit {
        // Detached at once; what still holds a file in it keeps only that file.
        umount2("\(directory)/bpf", Int32(MNT_DETACH))
        do { try FileManager.default.removeItem(atPath: directory) } catch { Issue.record("cannot remove \(directory): \(error)") }
    }

    var socket: String { "\(directory)/control.sock" }
    var readSocket: String { "\(directory)/read.sock" }
    var pins: String { "\(directory)/bpf/nilo" }
    /// The folder of policy files.
    var policies: String { "\(directory)/policy.d" }
    var auditLog: String { "\(directory)/log/nilo/audit.jsonl" }

    /// Writes the configuration; what is not given is small, quick and out of everyone's way.
    func configure(
        interfaces: String, namespaces: String = "host", mode: String = "auto", flows: Int = 16384, logRecords: Int = 4096,
        limit: Int = 200_000, interval: String = "200ms", timeouts: String = "idle-timeout: 1h\n  active-timeout: 1h", bpffs: String? = nil,
        export: String = "[]", sflow: String = "[]", ledgers: Int = 64, applications: String = "off", more: String = ""
    ) throws {
        let text = """
            interfaces: [\(interfaces)]
            namespaces: [\(namespaces)]
            attach:
              mode: \(mode)
            datapath:
              flows: \(flows)
              log-records: \(logRecords)
              interfaces: \(ledgers)
            flows:
              limit: \(limit)
              interval: \(interval)
              \(timeouts)
            control:
              socket: \(socket)
              read-socket: \(readSocket)
            metrics:
              listen: 127.0.0.1:9411
            export: \(export)
            sflow: \(sflow)
            applications: \(applications)
            bpffs: \(bpffs ?? "\(directory)/bpf")
            policy: \(policies)
            \(more.contains("page:") ? "" : "page: {listen: \"off\"}")
            \(more)

            """
        try write(text)
    }

    /// Applications are told, and their classifier has its usual share of the work of a machine that is slower (``patience``): beyond it packets
    /// are passed over.
    /// - Parameter cpuPercent: of an ordinary machine.
    static func applicationsOn(cpuPercent: Double = 5) -> String { "{cpu-percent: \(min(100, Int(cpuPercent * patience)))}" }

    /// Writes the policy, which an agent reads at its start.
    func write(policy: String) throws {
        try FileManager.default.createDirectory(atPath: "\(directory)/policy.d", withIntermediateDirectories: true)
        try Data(policy.utf8).write(to: URL(fileURLWithPath: "\(directory)/policy.d/test.yaml"))
    }

    var configuration: String { "\(directory)/agent.yaml" }

    func write(_ configuration: String) throws { try Data(configuration.utf8).write(to: URL(fileURLWithPath: self.configuration)) }

    /// Starts an agent. Its /var/log and /var/lib are the site's, so that the machine's are not written to; what is mounted later
    /// (names of namespaces) reaches it.
    /// - Parameters:
    ///   - log: what it has as /var/log.
    ///   - user: whom it runs as.
    func launch(log: String = "mount --bind $0/log /var/log", as user: String? = nil) async throws -> BackgroundProcess {
        let program = try #require(Self.agentProbe, "agent-probe is not beside the tests")
        let identity = user.map { "setpriv --reuid=\($0) --clear-groups " } ?? ""
        return try await BackgroundProcess.start(
            [
                "unshare", "--mount", "--propagation", "slave", "sh", "-ec",
                "mount --bind $0/lib /var/lib\n\(log)\nexec \(identity)\(program) $0/agent.yaml", directory,
            ], in: namespace)
    }

    /// Starts an agent and waits until it serves.
    func start(log: String = "mount --bind $0/log /var/log") async throws -> BackgroundProcess {
        let process = try await launch(log: log)
        try await process.waitFor(output: " ready", within: .seconds(20))
        return process
    }

    /// Starts an agent that cannot run, and returns what it said and its exit status.
    func refused(as user: String? = nil) async throws -> (output: String, status: Int32) {
        let process = try await launch(as: user)
        _ = try await eventually(within: .seconds(10)) { process.hasEnded }
        return try process.stop()
    }

    /// Ends an agent through its socket, and waits for its end.
    func stop(_ process: BackgroundProcess, keep: Bool) async throws {
        let socket = socket
        try await onOwnThread {
            _ = try ControlClient(socket: socket).post("/v1/stop", query: [("keep", keep ? "1" : "0")], timeout: Self.answerTime)
        }
        let ended = try await eventually(within: .seconds(10)) { process.hasEnded }
        let (output, status) = try process.stop()
        #expect(ended && status == 0, "\(output)")
    }

    private static let agentProbe = beside("agent-probe")
}

extension BackgroundProcess {
    /// Without reaping it: that is `stop`'s.
    var hasEnded: Bool {
        var what = siginfo_t()
        return waitid(P_PID, id_t(pid), &what, WEXITED | WNOHANG | WNOWAIT) == 0 && what._sifields._sigchld.si_pid == pid
    }
}
