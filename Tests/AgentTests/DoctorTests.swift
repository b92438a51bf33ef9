import Configuration
import Datapath
import Glibc
import Netlink
import Reports
import TestSupport
import Testing

@testable import Agent

@Suite(.requires(.root)) struct DoctorTests {
    private static func check(_ report: DoctorReport, _ name: String) throws -> DoctorReport.Check {
        try #require(report.checks.first { $0.name == name }, "\(name)")
    }

    /// All that the agent could have left. Not a link's operational state, which the kernel settles in its own time, nor what other tests
    /// do under /run meanwhile.
    private static let whatIsThere = """
        ip -d -o link | sed -E 's/ state [A-Z]+//; s/,LOWER_UP|NO-CARRIER,//'
        tc qdisc show; tc filter show dev va ingress; mount; find /run -path '*nilo*' | sort
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
