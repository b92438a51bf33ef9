import Flows
import Glibc
import NetworkTypes

/// `nilo capture`: packets of the interfaces that are counted, live, as pcapng.
public enum CaptureVerb {
    public static let specification = CommandSpecification(
        "capture", summary: "Capture packets, live, for wireshark or tcpdump",
        discussion: """
            Writes pcapng to standard output, or to a file: packets with their interface,
            direction and time, and how many were lost in between. The capture lasts as long
            as the command runs; nilo mirror lists it meanwhile. At most 2048 bytes of
            a packet are captured. It needs the control socket and is in the audit log.
            It ends with SIGINT and SIGTERM, also in the background of a script, and when
            the reader of its output goes.
            """,
        options: [
            OptionSpecification(
                "on", value: "INTERFACE", mayRepeat: true, help: "a name, pattern or NAMESPACE:NAME (all counted)"),
            OptionSpecification("direction", value: "WAY", choices: ["ingress", "egress"], help: "one way only (both)"),
            OptionSpecification("snap", value: "BYTES", help: "most bytes of a packet (2048)"),
            OptionSpecification("count", value: "N", help: "end after N packets"),
            OptionSpecification("write", short: "w", value: "FILE", help: "a file in place of standard output; - is standard output"),
            AgentConnection.option,
        ],
        operand: .init("FILTER", count: 0...64, help: "which packets: see nilo help flows and docs/filter.md (all)"),
        examples: [
            .init("sudo nilo capture tcp port 443 | wireshark -k -i -", "watch in wireshark"),
            .init("sudo nilo capture --on eth0 udp port 53 | tcpdump -n -r -", "or in tcpdump"),
            .init("sudo nilo capture --count 1000 --write web.pcapng tcp port 80", "a thousand packets to a file"),
        ])

    public static let command = Command(specification) { arguments, context in
        var query: [(String, String)] = [("filter", try FlowsVerb.filter(arguments).description)]
        let interfaces = arguments.values("on")
        if !interfaces.isEmpty { query.append(("on", interfaces.joined(separator: ","))) }
        if let direction = arguments.value("direction") { query.append(("direction", direction)) }
        if let snap = try arguments.number("snap", in: 64...65535) { query.append(("snap", "\(snap)")) }
        if let count = try arguments.number("count", in: 1...Int(Int32.max)) { query.append(("count", "\(count)")) }
        let file = arguments.value("write").flatMap { $0 == "-" ? nil : $0 }
        guard file != nil || isatty(STDOUT_FILENO) == 0 else {
            throw CommandFailure(
                "capture", "standard output is a terminal, and packets are no text",
                hint: "nilo capture … | tcpdump -n -r -, or --write FILE", code: .usage)
        }
        let descriptor = try file.map { (path) throws(CommandFailure) in try create(path) } ?? STDOUT_FILENO
        defer { if file != nil { close(descriptor) } }
        try run(AgentConnection(arguments, context: context), query, to: descriptor, context)
    }

    /// Alive with the process: a signal may come at any time.
    private static let wake = Result { () throws(CommandFailure) in try WakePipe() }

    private static func run(_ agent: AgentConnection, _ query: [(String, String)], to descriptor: Int32, _ context: CommandContext) throws {
        var failure: (any Error)?
        var hasBegun = false
        let wake = try wake.get()
        // A shell that is no terminal's has its background jobs ignore SIGINT: nobody could end this one then.
        EndSignals.install(wake, [SIGINT, SIGTERM])
        var watched = [pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0)]
        // Without a packet nothing is written, and a reader that has gone is not noticed.
        watched.append(pollfd(fd: descriptor, events: 0, revents: 0))
        try agent.capture(query, watching: watched) { piece in
            hasBegun = true
            do {
                try writeAll(piece, to: descriptor)
                return EndSignals.received == 0
            } catch {
                failure = error
                return false
            }
        }
        let signal = EndSignals.received
        guard signal == 0 else {
            return context.complain("capture ended by \(signal == SIGINT ? "SIGINT" : "SIGTERM")\n")
        }
        if let failure { throw failure }
        var output = pollfd(fd: descriptor, events: 0, revents: 0)
        if poll(&output, 1, 0) > 0 { throw OutputClosed() }
        let isCounted = query.contains { $0.0 == "count" }
        guard hasBegun else {
            throw CommandFailure(
                "capture", "the agent ended it before it began", hint: "nilo mirror lists what runs; the agent's log: journalctl -u nilo")
        }
        // Without a count it ends for no other reason.
        guard isCounted else {
            throw CommandFailure(
                "capture", "the agent ended it: its interfaces are gone or no longer counted, or the agent stops",
                hint: "nilo interfaces lists those that are counted")
        }
    }

    /// Readable by its owner alone: a payload is sensitive. A file that is there is written over, but no link is followed.
    private static func create(_ path: String) throws(CommandFailure) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CommandFailure("create \(path)", String(cString: strerror(errno))) }
        return descriptor
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
        var done = 0
        while done < bytes.count {
            let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            if count >= 0 {
                done += count
                continue
            }
            switch errno {
            case EINTR: if EndSignals.received != 0 { return }
            case EPIPE: throw OutputClosed()
            case EAGAIN:
                var one = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&one, 1, 1000)
                if EndSignals.received != 0 { return }
            default: throw CommandFailure("write the capture", String(cString: strerror(errno)))
            }
        }
    }
}
