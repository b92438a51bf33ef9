import Agent
import Configuration
import Glibc
import NetworkTypes

/// `nilo agent`: the configuration file, what the command line changes in it, and the agent itself.
public enum AgentVerb {
    public static let defaultFile = "/etc/nilo/agent.yaml"

    public static let specification = CommandSpecification(
        "agent", summary: "Run the agent, in the foreground",
        discussion: """
            Measures until nilo stop or Ctrl-C, which take everything away, or until
            SIGTERM, which leaves the kernel side counting for the next agent. Options
            override the configuration file; a list given here replaces the file's list.
            SIGHUP reads the file again: interfaces, timeouts, exports and the log level
            change at once, the log names what waits for the next start.
            """,
        options: [
            OptionSpecification("config", short: "c", value: "PATH", help: "the configuration (\(defaultFile))"),
            OptionSpecification(
                "interface", short: "i", value: "NAME", mayRepeat: true, help: "measure it: a name, pattern, default-route, all, …"),
            OptionSpecification("netns", value: "NAME", mayRepeat: true, help: "in this namespace: a name, a pattern, host, all"),
            OptionSpecification("socket", value: "PATH", help: "the control socket; the read socket lies beside it"),
            OptionSpecification("bpffs", value: "PATH", help: "where maps and links are pinned, or auto"),
            OptionSpecification(
                "attach", value: "HOW", choices: AgentConfiguration.AttachMode.allCases.map(\.rawValue), help: "how to attach"),
            OptionSpecification(
                "order", value: "WHERE", choices: AgentConfiguration.AttachOrder.allCases.map(\.rawValue),
                help: "where among other programs on the hook"),
            OptionSpecification(
                "export", value: "udp:HOST:PORT", mayRepeat: true, help: "send flows as IPFIX (or tcp:HOST:PORT)"),
            OptionSpecification("metrics", value: "HOST:PORT", help: "serve Prometheus metrics on loopback, or off"),
            OptionSpecification(
                "log-format", value: "FORMAT", choices: AgentConfiguration.LogFormat.allCases.map(\.rawValue), help: "form of log lines"),
            OptionSpecification(
                "log-level", value: "LEVEL", choices: AgentConfiguration.LogLevel.allCases.map(\.rawValue), help: "least level to log"),
            OptionSpecification("observe", help: "planning tells what it would do (the default)"),
            OptionSpecification("auto", help: "planning changes the rates of classes by itself"),
            OptionSpecification("print-config", help: "print the configuration in effect and do nothing"),
        ],
        examples: [
            .init("nilo agent", "on the interfaces of the default route"),
            .init("nilo agent --interface 'veth*' --netns all", "on each veth of each named namespace"),
            .init("nilo agent --export udp:192.0.2.1:4739 --metrics off", "to an IPFIX collector"),
            .init("nilo agent --print-config", "a configuration file to start from"),
        ])

    public static let command = Command(specification) { arguments, context in
        let configuration = try configuration(arguments)
        if arguments.has("print-config") { return try context.write(configuration.render()) }
        do {
            try AgentProcess.run(configuration) {
                do throws(CommandFailure) { return try Self.configuration(arguments) } catch {
                    throw AgentFailure(error.what, error.why, hint: error.hint)
                }
            }
        } catch let failure as AgentFailure { throw CommandFailure(failure) }
    }

    /// The agent's options of these names, for verbs that take its configuration too.
    static func options(_ names: Set<String>) -> [OptionSpecification] { specification.options.filter { names.contains($0.name) } }

    /// The file, if there is one or one was asked for, under the command line's options.
    static func configuration(_ arguments: ParsedArguments, defaultFile: String = Self.defaultFile) throws(CommandFailure)
        -> AgentConfiguration
    {
        var configuration = AgentConfiguration()
        let file = arguments.value("config") ?? defaultFile
        if arguments.value("config") != nil || exists(file) {
            do throws(ConfigurationError) { configuration = try AgentConfiguration.load(file) } catch {
                throw CommandFailure("read the configuration", "\(error)", code: .usage)
            }
        }
        try override(&configuration, with: arguments)
        return configuration
    }

    /// Only what is certainly not there counts as missing: a file that may not be read is an error, not a default.
    private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 || errno != ENOENT && errno != ENOTDIR }

    private static func override(_ configuration: inout AgentConfiguration, with arguments: ParsedArguments) throws(CommandFailure) {
        func parsed<T>(_ option: String, _ wanted: String, _ parse: (String) -> T?) throws(CommandFailure) -> [T] {
            var values: [T] = []
            for text in arguments.values(option) {
                guard let value = parse(text) else {
                    throw CommandFailure("agent", "--\(option) cannot be \"\(text.visible)\"", hint: "it is \(wanted)", code: .usage)
                }
                values.append(value)
            }
            return values
        }
        let interfaces = try parsed("interface", "an interface's name, a pattern, default-route, all or all-but-loopback") {
            InterfaceSelector($0)
        }
        if !interfaces.isEmpty { configuration.interfaces = interfaces }
        let namespaces = try parsed("netns", "a name under /run/netns, a pattern, host or all") { NamespaceSelector($0) }
        if !namespaces.isEmpty { configuration.namespaces = namespaces }
        if let socket = try parsed("socket", "an absolute path of at most 98 bytes", socketPath).last {
            configuration.control.socket = socket
            configuration.control.readSocket = socket[...].directory + "read.sock"
            if configuration.control.readSocket == socket { configuration.control.readSocket += ".r" }
        }
        if let path = try parsed("bpffs", "an absolute path or auto", { $0 == "auto" || $0.hasPrefix("/") ? $0 : nil }).last {
            configuration.bpffs = path == "auto" ? .automatic : .path(path)
        }
        if let mode = arguments.value("attach").flatMap(AgentConfiguration.AttachMode.init) { configuration.attach.mode = mode }
        if let order = arguments.value("order").flatMap(AgentConfiguration.AttachOrder.init) { configuration.attach.order = order }
        let exports = try parsed("export", "udp:HOST:PORT or tcp:HOST:PORT", export)
        if !exports.isEmpty { configuration.export = exports }
        let listen = try parsed("metrics", "a loopback address with its port, as 127.0.0.1:9411, or off", metrics)
        if let listen = listen.last { configuration.metricsListen = listen }
        if arguments.has("auto") && arguments.has("observe") {
            throw CommandFailure("agent", "--auto and --observe are both given", hint: "choose one", code: .usage)
        }
        if arguments.has("auto") { configuration.planning.mode = .auto }
        if arguments.has("observe") { configuration.planning.mode = .observe }
        if let format = arguments.value("log-format").flatMap(AgentConfiguration.LogFormat.init) { configuration.log.format = format }
        if let level = arguments.value("log-level").flatMap(AgentConfiguration.LogLevel.init) { configuration.log.level = level }
    }

    private static func socketPath(_ text: String) -> String? {
        text.hasPrefix("/") && !text.hasSuffix("/") && text.utf8.count <= 98 ? text : nil
    }

    private static func export(_ text: String) -> AgentConfiguration.Export? {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let transport = AgentConfiguration.Export.TransportProtocol(rawValue: String(parts[0])),
            let collector = HostPort(String(parts[1]))
        else { return nil }
        var export = AgentConfiguration.Export(collector: collector)
        export.transport = transport
        return export
    }

    /// `.some(nil)`: off.
    private static func metrics(_ text: String) -> HostPort?? {
        if text == "off" { return .some(nil) }
        guard let listen = HostPort(text), listen.isLoopback else { return nil }
        return .some(listen)
    }
}

extension Substring {
    /// Up to and with the last `/`.
    fileprivate var directory: String { lastIndex(of: "/").map { String(self[...$0]) } ?? "" }
}
