import Configuration
import Datapath
import Glibc
import Netlink
import Policy
import Reports
import TestSupport
import Testing

@testable import Agent

@Suite(.requires(.root)) struct DoctorTests {
    private static func check(_ report: DoctorReport, _ name: String) throws -> DoctorReport.Check {
        try #require(report.checks.first { $0.name == name }, "\(name)")
    }

    /// All that the agent could have left. Not a link's operational state, which the kernel settles in its own time, nor what other tests
    /// do under /run meanwhile: a namespace that one of them deletes leaves every mount table.
    private static let whatIsThere = """
        ip -d -o link | sed -E 's/ state [A-Z]+//; s/,LOWER_UP|NO-CARRIER,//'
        tc qdisc show; tc filter show dev va ingress; mount | grep -vE ' (/tmp/nilo-|/run/netns/)'; find /run -path '*nilo*' | sort
        """

    @Test(.requires(.tcx, .clsact)) func aMachineThatCan() async throws {
        try await withOwnMounts {
            _ = try sh(
                "ip link add va type veth peer name vb; ip link set va up; ip addr add 10.0.0.1/24 dev va; ip route add default via 10.0.0.2"
            )
            let foreign = try TinyProgram.passing()
            let link = try foreign.attachTCX(try interfaceIndex("va"), ingress: true)
            defer { close(link) }
            let before = try sh(Self.whatIsThere)
            let report = Doctor(AgentConfiguration()).examine()
            #expect(report.isHealthy, "\(report.checks.filter { $0.status == .fail })")
            #expect(try Self.check(report, "hook").use?.hasPrefix("tcx") == true)
            #expect(try Self.check(report, "programs").status == .ok)
            #expect(try Self.check(report, "BPF JIT").found == "on")
            #expect(try Self.check(report, "bpffs").use?.contains(BPFFileSystem.own) == true)
            #expect(try Self.check(report, "agent").found == "not running")
            #expect(report.interfaces == [.init(name: "va", kind: "veth", why: "default route", others: ["tcx ingress: tiny"])])
            // It has looked, not touched.
            let difference = try sh(Self.whatIsThere).split(separator: "\n").difference(from: before.split(separator: "\n"))
            #expect(difference.isEmpty, "\(Array(difference))")
        }
    }

    @Test(.requires(.tpBTF)) func dropReasonsCanBeNamed() {
        #expect(Doctor(AgentConfiguration()).dropReasons().status == .ok)
    }

    @Test func whatAutoComesTo() {
        let both = Doctor.shaping(["htb", "fq"])
        #expect(both.status == .ok && both.found == "htb yes, fq yes, police yes")
        #expect(both.use == "auto: edt where fq is the root qdisc, else htb; police for what arrives")
        #expect(Doctor.shaping(["htb"]).use == "auto: htb (edt is refused: there is no fq); police for what arrives")
        let none = Doctor.shaping([])
        #expect(none.status == .warn && none.found == "htb no, fq no, police yes" && none.use?.hasPrefix("auto: police") == true)
        #expect(none.fix?.hasPrefix("modprobe sch_htb") == true)
    }

    @Test func whatRulesWouldFind() async throws {
        try await withOwnMounts {
            var configuration = AgentConfiguration()
            configuration.policy = "/run/policy"
            let doctor = Doctor(configuration)
            let before = try sh("ip -o link; tc qdisc show")
            #expect(doctor.shaping().found.hasSuffix("police yes") && doctor.mirrorPort().status == .ok)
            #expect(try sh("ip -o link; tc qdisc show") == before)
            #expect(doctor.policyFiles().map(\.status) == [.ok] && doctor.policyFiles()[0].found.contains("not there"))
            _ = try sh(
                """
                mkdir /run/policy; echo 'sample: [{name: all, one-in: 10}, {name: more, match: tcp, one-in: 2}]' >/run/policy/a.yaml
                printf 'shape:\\n  - {name: up, rate: 1 Mbit/s}\\n' >/run/policy/b.yaml
                """)
            #expect(doctor.policyFiles() == [.init("policy", .ok, "/run/policy: 2 samplers, 1 shaper in 2 files")])
            _ = try sh("touch '/run/policy/odd name.yaml' /run/policy/.hidden.yaml /run/policy/a.yaml~")
            let odd = doctor.policyFiles()
            #expect(odd.map(\.status) == [.ok, .warn] && odd[1].found.hasPrefix("/run/policy/odd name.yaml is not read: "), "\(odd)")
            _ = try sh("rm '/run/policy/odd name.yaml'")
            _ = try sh("printf 'mirror:\\n  - {name: m, to: {interface: span0}, snap: 3}\\nsampel: []\\n' >/run/policy/c.yaml")
            let problems = doctor.policyFiles()
            #expect(problems.count == 2 && problems.allSatisfy { $0.status == .fail && $0.fix != nil }, "\(problems)")
            #expect(problems.contains { $0.found.hasPrefix("/run/policy/c.yaml:2: mirror") && $0.found.contains("snap") }, "\(problems)")
            #expect(problems.contains { $0.found.hasPrefix("/run/policy/c.yaml:3: ") && $0.found.contains("sampel") }, "\(problems)")

            let path = "/run/replaced.json"
            #expect(doctor.replacedQdiscs(at: path).status == .ok)
            let replaced = try ReplacedQdiscs(path: path)
            try replaced.remember(
                QdiscRecipe(kind: "tbf", handle: 0x8001_0000, options: []),
                of: CountedInterface(id: .init(rawValue: 1), name: "eth0", ifindex: 2, namespaceCookie: 1))
            #expect(doctor.replacedQdiscs(at: path).found == "tbf of eth0")
            // Nor does another interface that has got the number.
            var eth0 = CountedInterface(id: .init(rawValue: 1), name: "eth0", ifindex: 2, namespaceCookie: 1, address: [2, 0, 0, 0, 0, 1])
            try replaced.remember(QdiscRecipe(kind: "tbf", handle: 0x8001_0000, options: []), of: eth0)
            #expect(replaced.recipe(of: eth0) != nil)
            eth0.address[5] = 2
            #expect(try ReplacedQdiscs(path: path).recipe(of: eth0) == nil)
            eth0.address[5] = 1
            eth0.name = "eth1"
            #expect(try ReplacedQdiscs(path: path).recipe(of: eth0) == nil)
            // Another start of the machine knows nothing of it.
            _ = try sh("sed -i -E 's/[0-9a-f]{8}-[0-9a-f-]{27}/00000000-0000-0000-0000-000000000000/' \(path)")
            #expect(try ReplacedQdiscs(path: path).entries.isEmpty)
            _ = try sh("echo broken >\(path)")
            // An agent goes on without, and leaves it as it is.
            let unread = ReplacedQdiscs(readingIfPossible: path)
            eth0.name = "eth0"
            #expect(unread.problem != nil && unread.recipe(of: eth0) == nil)
            #expect(throws: AgentFailure.self) { try unread.remember(QdiscRecipe(kind: "tbf", handle: 0x8001_0000, options: []), of: eth0) }
            #expect(try sh("cat \(path)").contains("broken"))
            let problem = try #require(unread.problem)
            #expect(!Cleanup.oneLine(problem).contains("\n"))
            #expect(doctor.replacedQdiscs(at: path).status == .fail && doctor.replacedQdiscs(at: path).fix?.hasPrefix("mv ") == true)
        }
    }

    @Test func aDamagedMirrorPortIsTold() async throws {
        try await withOwnMounts {
            let doctor = Doctor(AgentConfiguration())
            _ = try NetlinkSocket().makeMirrorPort()
            // Made, and no agent has put its programs on it.
            #expect(doctor.mirrorPort().status == .warn && doctor.mirrorPort().found == "our program is not on nilo-m0 and nilo-m1")
            _ = try sh("ip link set nilo-m1 down")
            #expect(doctor.mirrorPort().found == "nilo-m1 is down")
            _ = try sh("ip link set nilo-m0 name other")
            #expect(doctor.mirrorPort().found == "only a part of it is there: nilo-m1")
            _ = try sh("ip link del nilo-m1; ip link add nilo-m0 type bridge")
            #expect(doctor.mirrorPort().status == .warn && doctor.mirrorPort().found.hasPrefix("nilo-m0 is not ours"))
            _ = try sh("ip link del nilo-m0")
            #expect(doctor.mirrorPort().status == .ok)
        }
    }

    @Test func anUnconfirmedChangeIsTold() async throws {
        try await withOwnMounts {
            var configuration = AgentConfiguration()
            configuration.policy = "/run/policy"
            let doctor = Doctor(configuration)
            let directory = PolicyDirectory(path: "/run/policy")
            #expect(doctor.unconfirmedChange().isEmpty)
            try UnconfirmedPolicy(isPending: true, files: [:], changed: ["web.yaml"]).write(directory)
            #expect(doctor.unconfirmedChange().map(\.status) == [.warn])
            #expect(doctor.unconfirmedChange().first?.found == "web.yaml: waits to be confirmed")
            try UnconfirmedPolicy(isPending: false, files: [:], changed: ["web.yaml"]).write(directory)
            #expect(doctor.unconfirmedChange().first?.found.hasPrefix("web.yaml: not confirmed and taken back") == true)
            _ = try sh("echo broken >/run/policy/.unconfirmed")
            #expect(doctor.unconfirmedChange().map(\.status) == [.fail])
            #expect(doctor.policyChecks().contains { $0.name == "unconfirmed" })
        }
    }

    @Test func whatIsConfiguredWrong() async throws {
        try await withOwnMounts {
            var configuration = AgentConfiguration()
            configuration.bpffs = .path("/run")
            configuration.export = [
                .init(collector: HostPort(host: "no-such-host.invalid", port: 4739)),
                .init(collector: HostPort(host: "127.0.0.1", port: 4739)),
            ]
            let doctor = Doctor(configuration)
            #expect(doctor.bpffs().status == .fail && doctor.bpffs().fix == "mount -t bpf bpf /run")
            #expect(doctor.interfaces().0.status == .warn)
            #expect(doctor.interfaces().1.isEmpty)
            let beside = doctor.interfaces(countedByAgent: ["va", "vc"]).0
            #expect(beside.status == .ok && beside.found == "the agent that runs counts va, vc")
            let report = doctor.examine()
            #expect(!report.isHealthy)
            let (unknown, known) = (
                try Self.check(report, "export no-such-host.invalid:4739"), try Self.check(report, "export 127.0.0.1:4739")
            )
            #expect(unknown.status == .fail && known.found == "127.0.0.1, over UDP")
        }
    }

    @Test func memoryIsCompared() {
        var configuration = AgentConfiguration()
        #expect(Doctor(configuration).memory().status != .fail)
        configuration.datapath.flows = 1 << 31
        #expect(Doctor(configuration).memory().status == .fail)
    }

    @Test func pinsOfAnotherVersionAreToldOf() async throws {
        try await withOwnMounts {
            _ = try sh("mkdir -p \(BPFFileSystem.own); mount -t bpf bpf \(BPFFileSystem.own); mkdir -p \(BPFFileSystem.own)/nilo/v99/maps")
            #expect(Doctor(AgentConfiguration()).pins().status == .ok)
            let program = try TinyProgram.passing()
            try checkedPin(program.descriptor, "\(BPFFileSystem.own)/nilo/v99/maps/nilo_meta")
            let pins = Doctor(AgentConfiguration()).pins()
            #expect(pins.status == .fail && pins.fix == "nilo cleanup" && pins.found.contains("v99"))
            let bpffs = Doctor(AgentConfiguration()).bpffs()
            #expect(bpffs.use == BPFFileSystem.own && bpffs.status == .ok)
        }
    }
}
