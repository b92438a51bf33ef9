import API
import CLinux
import Configuration
import Datapath
import Glibc
import Logging
import Netlink
import Privileges

/// Running the agent as a process of its own.
public enum AgentProcess {
    public static var version: String { Agent.version }

    /// Runs until SIGTERM, SIGINT or a stop request.
    ///
    /// SIGTERM and SIGINT take everything away; after `nilo stop --keep`, or a crash, the kernel side goes on counting and the next agent
    /// takes over.
    public static func run(_ configuration: AgentConfiguration) throws {
        guard geteuid() == 0 else {
            throw AgentFailure("start the agent", "it needs to be root", hint: "sudo nilo agent", kind: .permission)
        }
        let log = Log(
            format: configuration.log.format == .json ? .json : .text, level: LogLevel.allCases.first { $0.name == configuration.log.level.rawValue } ?? .info)
        do { try serve(configuration, log) } catch let error as BPFError { throw AgentFailure(error) } catch let error as ListenError {
            throw AgentFailure(error)
        } catch let error as NetlinkError {
            throw AgentFailure(error.operation, "\(error)", kind: error.code == EPERM ? .permission : .failed)
        }
    }

    private static func serve(_ configuration: AgentConfiguration, _ log: Log) throws {
        _ = mkdir("/run/nilo", 0o755)
        // The socket first: it is what tells that another instance is running, before anything is touched.
        let mailbox = Mailbox()
        let control = try ControlServer(
            .unix(path: configuration.control.socket, group: Group.existing(configuration.control.group, log)), handler: mailbox.answer)
        let reading = try ControlServer(
            .unix(path: configuration.control.readSocket, group: Group.existing(configuration.control.readGroup, log), readOnly: true),
            handler: mailbox.answer)
        let agent = try Agent(configuration, log: log)
        // Before any thread of the agent's own is started; libmicrohttpd's block all signals themselves.
        try agent.loop.signals([SIGTERM, SIGINT, SIGHUP]) { [unowned agent] number in
            if number == SIGHUP {
                log.warning("a changed configuration takes effect at the next start")
            } else {
                agent.stop(keep: false)
            }
        }
        let metrics = try configuration.metricsListen.map { try ControlServer(.tcp(host: $0.host, port: $0.port), handler: mailbox.answerMetrics) }
        mailbox.connect(agent)
        try agent.prepare()
        var kept: Set<Capability> = [.bpf, .netAdmin, .perfmon]
        if agent.follower.followsOthers { kept.insert(.sysAdmin) }
        _ = try ProcessPrivileges.drop(keeping: kept)
        _ = try? ServiceNotification.ready.send()
        log.info(
            "ready",
            [
                "interfaces": LogValue(agent.datapath.interfaces.count), "socket": LogValue(configuration.control.socket),
                "metrics": LogValue(configuration.metricsListen?.description ?? "off"),
            ])
        try agent.run()
        _ = try? ServiceNotification.stopping.send()
        try agent.finish()
        withExtendedLifetime((control, reading, metrics)) {}
    }
}

/// Unix groups that the sockets belong to.
enum Group {
    /// The group if the host has it; else the sockets stay root's, which is said once.
    static func existing(_ name: String, _ log: Log) -> String? {
        if getgrnam(name) != nil { return name }
        log.warning("no such group; the socket is for root alone", ["group": LogValue(name)])
        return nil
    }
}
