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
    /// SIGINT and `nilo stop` take everything away; after SIGTERM, `nilo stop --keep` or a crash the kernel side goes on counting and the
    /// next agent takes over.
    /// - Parameter reread: the configuration as it would be now, for SIGHUP; throws what is wrong with it.
    public static func run(_ configuration: AgentConfiguration, reread: @escaping () throws -> AgentConfiguration) throws {
        guard geteuid() == 0 else {
            throw AgentFailure("start the agent", "it needs to be root", hint: "sudo nilo agent", kind: .permission)
        }
        let log = Log(
            format: configuration.log.format == .json ? .json : .text,
            level: configuration.log.level.logged)
        do { try serve(configuration, log, reread) } catch let error as BPFError { throw AgentFailure(error) } catch let error
            as ListenError
        {
            throw AgentFailure(error)
        } catch let error as NetlinkError {
            throw AgentFailure(error.operation, "\(error)", kind: error.code == EPERM ? .permission : .failed)
        }
    }

    /// Each followed namespace takes some twenty descriptors: as many as the host allows.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func serve(
        _ configuration: AgentConfiguration, _ log: Log, _ reread: @escaping () throws -> AgentConfiguration
    ) throws {
        raiseDescriptorLimit()
        // The sockets first: they tell whether another instance is running, before anything is touched.
        let control = try BoundEndpoint(
            .unix(path: configuration.control.socket, group: Group.existing(configuration.control.group, log)))
        let reading = try BoundEndpoint(
            .unix(path: configuration.control.readSocket, group: Group.existing(configuration.control.readGroup, log), readOnly: true))
        let metrics = try MetricsEndpoint(configuration.metricsListen)
        let page = try PageEndpoint(configuration.page)
        let agent = try Agent(configuration, log: log)
        // Before any thread is started, so that all of them leave the signals to the loop.
        try agent.loop.signals([SIGTERM, SIGINT, SIGHUP]) { [unowned agent] number in
            if number == SIGHUP {
                try agent.reload(reread)
            } else {
                // A restart or an upgrade ends with SIGTERM, and the next agent goes on; Ctrl-C means to be done.
                try agent.stop(keep: number == SIGTERM)
            }
        }
        try agent.prepare()
        var kept: Set<Capability> = [.bpf, .netAdmin, .perfmon]
        if agent.follower.followsOthers {
            // setns(2), and the namespaces of processes that are not ours.
            kept.formUnion([.sysAdmin, .sysPtrace])
        }
        // The classifier that is started anew when one has ended becomes nobody.
        let started: Set<Capability> = agent.applications == nil ? [] : [.setuid, .setgid]
        _ = try ProcessPrivileges.drop(keeping: kept.union(started), started: started)
        let mailbox = Mailbox(agent)
        var servers: [ControlServer?] = []
        // What strangers send is parsed by threads that may do nothing special. A closure cannot consume what it captures: hence options.
        var controlling = Optional(control)
        var asking = Optional(reading)
        var counting = Optional(metrics)
        var showing = Optional(page)
        try ThreadPrivileges.withNone {
            servers = [
                try ControlServer(controlling.take()!, limits: .forPolicies, handler: mailbox.answer),
                try ControlServer(asking.take()!, controlSocket: configuration.control.socket, handler: mailbox.answer),
                try counting.take()!.serve(mailbox.answerMetrics),
                try showing.take()!.serve(controlSocket: configuration.control.socket, mailbox.answer),
            ]
        }
        _ = try? ServiceNotification.ready.send()
        log.info(
            "ready",
            [
                "interfaces": LogValue(agent.datapath.interfaces.count), "socket": LogValue(configuration.control.socket),
                "metrics": LogValue(configuration.metricsListen?.description ?? "off"),
                "page": LogValue(configuration.page.url ?? "off"),
            ])
        try agent.run()
        _ = try? ServiceNotification.stopping.send()
        try agent.finish()
        withExtendedLifetime(servers) {}
    }
}

/// The metrics listener, if there is to be one.
private struct MetricsEndpoint: ~Copyable {
    private let bound: BoundEndpoint?

    init(_ address: HostPort?) throws(ListenError) {
        if let address { bound = try BoundEndpoint(.tcp(host: address.host, port: address.port)) } else { bound = nil }
    }

    consuming func serve(_ handler: @escaping ControlServer.Handler) throws(ListenError) -> ControlServer? {
        guard let bound else { return nil }
        return try ControlServer(bound, handler: handler)
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

extension ControlServer.Limits {
    /// Policy files come over the control socket.
    fileprivate static var forPolicies: ControlServer.Limits {
        var limits = ControlServer.Limits()
        limits.bodyBytes = 2 * PolicyDirectory.maximumBytes
        return limits
    }
}
