import API
import Configuration
import FoundationEssentials
import Glibc
import Reports
import TestSupport
import Testing

@testable import Agent

/// Agents with a policy folder, one after the other, in the calling thread's namespaces (`withOwnMounts`), with `/var` of their own.
struct PolicyAgent {
    let process: BackgroundProcess

    private static let text = """
        interfaces: [va, vc, ve]
        attach: {mode: MODE}
        datapath: {flows: 4096, log-records: 1024, interfaces: 16}
        control: {socket: /run/nilo/control.sock, read-socket: /run/nilo/read.sock}
        metrics: {listen: "off"}
        bpffs: /run/bpf
        policy: /run/policy
        history: {file: "off"}
        forecast: {state: "off"}
        page: {listen: "off"}

        """

    /// Three pairs of ours to measure, one for copies, and what other people have made on them.
    static func prepare(_ mode: String) throws {
        _ = try sh(
            """
            mount -t tmpfs none /var; mkdir -p /var/lib /var/log /run/bpf /run/nilo; mount -t bpf bpf /run/bpf
            ip netns add peer
            ip link add va type veth peer name vb netns peer
            for pair in 'vc vd' 've vg' 'span0 span1'; do set -- $pair; ip link add $1 type veth peer name $2; done
            ip -n peer addr add 10.0.0.2/24 dev vb; ip -n peer link set vb up
            ip addr add 10.0.0.1/24 dev va
            for name in va vc vd ve vg span0 span1; do ip link set $name addrgenmode none up; done
            tc qdisc add dev vc root handle 8001: tbf rate 100mbit burst 64kb latency 50ms
            tc qdisc add dev ve root handle 1: htb default 10; tc class add dev ve parent 1: classid 1:10 htb rate 50mbit
            tc qdisc add dev vg clsact; tc filter add dev vg ingress protocol ip prio 49 u32 match u32 0 0 action mirred egress mirror dev span0
            tc qdisc add dev ve clsact; tc filter add dev ve egress protocol ip prio 49 u32 match u32 0 0 classid 1:10
            """)
        let bytes = Array(text.replacing("MODE", with: mode).utf8)
        try Data(bytes).write(to: URL(filePath: "/run/agent.yaml"))
    }

    /// Everything that a policy can make: sessions to a device and through a tunnel, samplers, classes, a replaced qdisc, a policer.
    static let rules = """
        links:
          - {interface: va, capacity: 1 Gbit/s}
        mirror:
          - {name: local, on: va, match: icmp, to: {interface: span0}}
          - {name: far, on: va, match: udp, to: {vxlan: {remote: 10.0.0.2, vni: 16711757}}}
        sample:
          - {name: all, on: va, one-in: 10}
          - {name: budget, on: ve, budget: 500 samples/s}
        shape:
          - {name: out, on: va, direction: egress, rate: 10 Mbit/s, ceiling: 50 Mbit/s}
          - {name: other, on: vc, direction: egress, ceiling: 20 Mbit/s}
          - {name: in, on: va, direction: ingress, ceiling: 80 Mbit/s, mechanism: police}

        """

    /// Other rules, some of the same names.
    static let otherRules = """
        links:
          - {interface: va, capacity: 1 Gbit/s}
        mirror:
          - {name: local, on: va, match: tcp, to: {interface: span0}, snap: 96}
        sample:
          - {name: all, on: va, one-in: 20}
        shape:
          - {name: out, on: va, direction: egress, rate: 20 Mbit/s}
          - {name: bulk, on: va, direction: egress, match: tcp port 873, parent: out, rate: 5 Mbit/s, ceiling: 10 Mbit/s}

        """

    static func launch() throws -> PolicyAgent {
        let program = try #require(builtProgram("agent-probe"), "agent-probe is not beside the tests")
        return PolicyAgent(process: try BackgroundProcess([program, "/run/agent.yaml"]))
    }

    /// Starts an agent and waits until it serves.
    static func start() throws -> PolicyAgent {
        let agent = try launch()
        for _ in 0..<Int(2000 * patience) {
            if try agent.process.outputSoFar().contains(" ready") { return agent }
            usleep(10_000)
        }
        throw SystemError(command: "agent-probe", status: 0, output: try agent.process.outputSoFar())
    }

    static var client: ControlClient { ControlClient(socket: "/run/nilo/control.sock") }
    private static let answerTime = Duration.seconds(20)

    @discardableResult static func change(_ change: PolicyChange) throws -> PlanReport {
        let body = Array(try JSONEncoder().encode(change))
        let answer = try client.post("/v1/policy/apply", body: body, timeout: answerTime)
        return try JSONDecoder().decode(PlanReport.self, from: Data(answer))
    }

    static func apply(_ rules: String) throws { try change(PolicyChange(put: ["rules.yaml": rules], replace: true)) }

    /// What there is left to do.
    static func plan() throws -> PlanReport { try change(PolicyChange(dryRun: true)) }

    static func report() throws -> PolicyReport {
        try JSONDecoder().decode(PolicyReport.self, from: Data(try client.get("/v1/policy", timeout: answerTime)))
    }

    static func status() throws -> StatusReport {
        try JSONDecoder().decode(StatusReport.self, from: Data(try client.get("/v1/status", timeout: answerTime)))
    }

    func end(keep: Bool) throws {
        _ = try Self.client.post("/v1/stop", query: [("keep", keep ? "1" : "0")], timeout: Self.answerTime)
        for _ in 0..<Int(1000 * patience) {
            if try process.outputSoFar().contains("stopped") { break }
            usleep(10_000)
        }
        let (output, status) = try process.stop()
        #expect(status == 0, "\(output)")
    }

    func kill() throws { try process.stop(signal: SIGKILL) }

    /// Qdiscs, classes, filters, devices and pins, as the tools show them; without what the kernel settles in its own time.
    static func whatIsThere() throws -> [String] {
        try sh(
            """
            tc qdisc show
            for name in $(ip -br link | cut -d' ' -f1 | cut -d@ -f1); do
                echo "== $name"
                tc class show dev $name; tc filter show dev $name; tc filter show dev $name ingress; tc filter show dev $name egress
            done
            ip -d -o link | sed -E 's/ state [A-Z]+//; s/,LOWER_UP|NO-CARRIER,//g; s/^[0-9]+: //;
                /nilo-m/s,ether [0-9a-f:]+,ether,' | sort
            find /run/bpf -mindepth 1 ! -name '*.debug' | sort
            find /var/lib -mindepth 1 | sort
            """
        ).split(separator: "\n").map(String.init)
    }

    /// The same without what an agent needs for counting, and without numbers that each attachment has its own of.
    static func whatRulesMade() throws -> [String] {
        try whatIsThere().filter { line in
            !line.hasPrefix("/run/bpf") && !line.contains("nilo_") && !line.hasPrefix("filter protocol all pref")
        }
    }
}
