import Foundation
import Reports
import TestSupport
import Testing

/// The policy of a site: its files, and the real `nilo` asking the agent.
extension AgentSite {
    /// Writes a file into the policy folder, behind the agent's back.
    func writePolicy(_ text: String, _ name: String = "test.yaml") throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(policies)/\(name)"))
    }

    /// Writes a file somewhere else, for `nilo apply -f`.
    func draft(_ text: String, _ name: String = "test.yaml") throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
        return "\(directory)/\(name)"
    }

    func policyFiles() throws -> [String: String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: policies).filter { !$0.hasPrefix(".") }
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try contents(of: "\(policies)/\($0)")) })
    }

    /// Runs a command line as a person would type it, with our `nilo` first on PATH and this agent's socket. Throws what it said when it fails.
    @discardableResult func shell(_ line: String) async throws -> String {
        let program = try #require(Self.beside("nilo"), "nilo is not beside the tests")
        let folder = URL(fileURLWithPath: program).deletingLastPathComponent().path
        let environment = "export NILO_SOCKET=\(socket) NO_COLOR=1 PATH=\(folder):$PATH\n"
        return try await onOwnThread { try sh(environment + line) }
    }

    @discardableResult func nilo(_ arguments: String) async throws -> String { try await shell("nilo \(arguments)") }

    /// What a command that has to fail says.
    func refusal(_ arguments: String, status: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let said = try await shell("set +e; nilo \(arguments); echo status $?")
        #expect(said.hasSuffix("status \(status)\n"), "\(said)", sourceLocation: sourceLocation)
        return said
    }

    func apply(_ text: String, _ name: String = "test.yaml", options: String = "") async throws {
        try await nilo("apply -f \(draft(text, name)) \(options)")
    }

    func policy() async throws -> PolicyReport { try await get("/v1/policy") }

    func mirror(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> MirrorReport {
        try #require(try await policy().mirrors.first { $0.name == name }, sourceLocation: sourceLocation)
    }
    func sampler(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> SampleReport {
        try #require(try await policy().samplers.first { $0.name == name }, sourceLocation: sourceLocation)
    }
    func shaper(_ name: String, _ direction: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) async throws -> ShapeReport {
        let all = try await policy().shapers
        return try #require(
            all.first { $0.name == name && (direction == nil || $0.direction == direction) }, "\(all)", sourceLocation: sourceLocation)
    }

    /// What `tc`, `ip` and bpffs show, sorted: the kernel lists classes in no order of ours. Without counters, also of references, some of
    /// which are let go late; programs without their numbers: another agent exchanges them for its own. A device that has just come up is
    /// UNKNOWN for a while.
    func dump(_ namespaces: [NetworkNamespace]) async throws -> [String] {
        var lines: [String] = []
        for namespace in namespaces {
            lines += try await namespace.sh(
                """
                # What is said beside: of a peer whose namespace another test has just let go.
                exec 2>/dev/null
                tc qdisc show; ip -d -o link
                for device in $(ip -o link | sed 's/^[0-9]*: //; s/[:@].*//'); do
                    tc class show dev $device
                    for way in ingress egress root; do tc filter show dev $device $way | sed "s/^/$device $way /"; done
                done
                """
            ).split(separator: "\n").map(String.init)
        }
        lines += try sh("find \(directory)/bpf | sort").split(separator: "\n").map(String.init)
        return lines.map { $0.replacing(#/:\[\d+\]| id \d+| refcnt \d+/#, with: "").replacing(" state UNKNOWN ", with: " state UP ") }
            .sorted()
    }

    func expectSame(_ before: [String], _ after: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        let lost = before.filter { !after.contains($0) }
        let added = after.filter { !before.contains($0) }
        #expect(
            lost.isEmpty && added.isEmpty && before.count == after.count, "lost: \(lost)\nadded: \(added)", sourceLocation: sourceLocation)
    }

    static func beside(_ name: String) -> String? { builtProgram(name) }
}

/// Hosts a and b as in `Pair`, with eth0 for va and vb, and a free pair span0 and span1 in a for copies; span1 is in a namespace of its own.
struct PolicyLab: Sendable {
    let a: NetworkNamespace
    let b: NetworkNamespace
    let span: NetworkNamespace
    static let addressA = "192.0.2.1"
    static let addressB = "192.0.2.2"
    /// b's, too.
    static let collector = "192.0.2.9"

    init(offloads: Offloads? = nil) async throws {
        a = try await NetworkNamespace()
        b = try await NetworkNamespace()
        span = try await NetworkNamespace()
        try await a.sh(
            """
            ip link add eth0 address \(Pair.macA) type veth peer name eth0 address \(Pair.macB) netns \(b.path)
            ip link add span0 type veth peer name span1 netns \(span.path)
            ip addr add \(Self.addressA)/24 dev eth0
            ip link set eth0 up
            ip link set span0 arp off up
            for host in \(Self.addressB) \(Self.collector); do ip neigh replace $host lladdr \(Pair.macB) dev eth0 nud permanent; done
            """)
        try await b.sh(
            """
            ip addr add \(Self.addressB)/24 dev eth0
            ip addr add \(Self.collector)/24 dev eth0
            ip link set eth0 up
            ip neigh replace \(Self.addressA) lladdr \(Pair.macA) dev eth0 nud permanent
            """)
        try await span.sh("ip link set span1 up")
        for (namespace, name) in [(a, "eth0"), (b, "eth0"), (a, "span0")] {
            if let offloads { try await namespace.set(offloads, on: name) }
        }
        for namespace in [a, b, span] { try await namespace.waitForCarrier() }
    }

    /// A site whose agent counts eth0, started.
    func start(interfaces: String = "eth0", mode: String = "auto") async throws -> (AgentSite, BackgroundProcess) {
        let site = try AgentSite(in: a)
        try site.configure(interfaces: interfaces, mode: mode)
        return (site, try await site.start())
    }

    /// Another agent beside it, without metrics: their port is the first one's.
    func startSecond() async throws -> (AgentSite, BackgroundProcess) {
        let site = try AgentSite(in: a)
        try site.configure(interfaces: "eth0")
        try site.write(contents(of: site.configuration).replacing("127.0.0.1:9411", with: "off"))
        return (site, try await site.start())
    }

    /// skbs that a program on eth0 has seen, both ways.
    func skbs(_ site: AgentSite) async throws -> UInt64 {
        let device = try await site.interface("eth0")
        return device.ingress.seen.totals.skbs + device.egress.seen.totals.skbs
    }

    /// A datagram between any two addresses. It is for a third host's station address: whoever gets it drops it and answers nothing.
    static func datagram(_ from: String, _ to: String, port: UInt16, source: UInt16 = 40000, size: Int = 100) -> Frame {
        Frame(
            EthernetHeader(to: Wiring.mac(99)), IPv4Header(from: from, to: to), UDPHeader(from: source, to: port),
            RawBytes(count: size - 42))
    }
}
