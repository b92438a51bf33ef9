import API
import Glibc

/// How long after the kernel was told of a change a question to the agent has it in its answer: links that go up and down, routes that come.
///
/// The agent is `nilo` beside this program, in namespaces of its own; the clock starts before the change is asked for, so that what the
/// command and the question take is in it.
func measureTopologyEvents(_ plan: Plan, _ results: Results) throws {
    let site = try AgentForEvents()
    defer { site.stop() }
    let count = plan.isThorough ? 300 : 60
    var routes: [Double] = []
    var links: [Double] = []
    for round in 0..<count {
        let route = "198.18.\(round % 250).0/24"
        routes.append(try site.milliseconds(until: "/route/main/\(route)", isThere: true) { try site.tell("route add \(route) dev v0") })
        try site.tell("route del \(route)")
        let isDown = round % 2 == 0
        links.append(
            try site.milliseconds(until: #""state":"down""#, isThere: isDown) { try site.tell("link set v2 \(isDown ? "down" : "up")") })
        // Not in step with the agent's own second.
        usleep(useconds_t(20_000 + round * 7919 % 50_000))
    }
    results.add("route_visible_ms", routes)
    results.add("route_visible_p99_ms", percentile(routes, 0.99), .atMost(50))
    results.add("link_visible_ms", links)
    results.add("link_visible_p99_ms", percentile(links, 0.99), .atMost(50))
    results.remark("visible: from before `ip` is told until the end of the first answer that shows it; \(count) of each.")
}

private func percentile(_ values: [Double], _ share: Double) -> Double {
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
}

/// An agent in a network and mount namespace of its own, and `ip` in it, which waits for commands.
private final class AgentForEvents {
    private let directory: String
    private var child: pid_t = 0
    private var commands: Int32 = -1
    private let client: ControlClient

    init() throws {
        var name = Array("/tmp/nilo-bench.XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw BenchError("make a folder", errno: errno) }
        directory = name.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        client = ControlClient(socket: "\(directory)/read.sock")
        do {
            try start()
        } catch {
            stop()
            throw error
        }
    }

    private func start() throws {
        let configuration = """
            interfaces: [v0]
            namespaces: [host]
            datapath: {flows: 8192, log-records: 4096, interfaces: 16}
            control: {socket: \(directory)/control.sock, read-socket: \(directory)/read.sock}
            metrics: {listen: "off"}
            bpffs: \(directory)/bpf
            policy: \(directory)/policy.d

            """
        try shell(
            """
            mkdir \(directory)/bpf \(directory)/lib \(directory)/log \(directory)/policy.d
            cat >\(directory)/agent.yaml <<'Y'
            \(configuration)Y
            """)
        guard let program = Self.beside("nilo") else { throw BenchError("nilo is not beside nilo-bench: swift build -c release") }
        let script = """
            mount -t bpf bpf $0/bpf; mount --bind $0/lib /var/lib; mount --bind $0/log /var/log
            ip link set lo up; ip link add v0 type veth peer name v1; ip link add v2 type veth peer name v3
            ip addr add 192.0.2.1/24 dev v0; for i in 0 1 2 3; do ip link set v$i up; done
            \(program) agent --config $0/agent.yaml >$0/agent.log 2>&1 & agent=$!
            ip -force -batch - >$0/ip.log 2>&1
            kill $agent; wait $agent
            """
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw BenchError("make a pipe", errno: errno) }
        defer { close(ends[0]) }
        commands = ends[1]
        // The child must not hold the end that it waits for to be closed.
        _ = fcntl(commands, F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        let words = arguments(["unshare", "--net", "--mount", "sh", "-c", script, directory])
        defer { words.forEach { free($0) } }
        let code = posix_spawnp(&child, "unshare", &actions, nil, words, environ)
        if code != 0 { throw BenchError("start an agent", errno: code) }
        let end = wallSeconds() + 30
        while (try? shows("/if/v3")) != true {
            guard wallSeconds() < end else { throw BenchError("the agent does not answer: \(text(of: "\(directory)/agent.log") ?? "")") }
            usleep(50_000)
        }
    }

    private static func beside(_ name: String) -> String? {
        var link = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &link, link.count)
        let own = String(decoding: link.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let path = "\(own[..<slash])/\(name)"
        return access(path, X_OK) == 0 ? path : nil
    }

    /// A line for `ip -batch`.
    func tell(_ command: String) throws {
        let line = Array("\(command)\n".utf8)
        guard write(commands, line, line.count) == line.count else { throw BenchError("tell ip", errno: errno) }
    }

    private func shows(_ wanted: String) throws -> Bool {
        let (answer, wanted) = (try client.get("/v1/topology"), Array(wanted.utf8))
        return answer.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let at = rest.firstIndex(of: wanted[0]) {
                if rest[at...].starts(with: wanted) { return true }
                rest = rest[(at + 1)...]
            }
            return false
        }
    }

    /// From before the change until the answer shows it.
    func milliseconds(until wanted: String, isThere: Bool, _ change: () throws -> Void) throws -> Double {
        let start = wallSeconds()
        try change()
        while true {
            let isSeen = try shows(wanted) == isThere
            let passed = wallSeconds() - start
            if isSeen { return passed * 1e3 }
            guard passed < 10 else { throw BenchError("\(wanted) is not seen after 10 s: \(text(of: "\(directory)/ip.log") ?? "")") }
        }
    }

    /// Ends `ip`, and with it the agent.
    func stop() {
        if commands >= 0 { close(commands) }
        var status: Int32 = 0
        if child > 0 { waitpid(child, &status, 0) }
        do { try shell("rm -rf \(directory)") } catch { say("nilo-bench: \(error)") }
    }
}
