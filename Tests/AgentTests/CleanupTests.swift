import CLinux
import Configuration
import Datapath
import Flows
import Glibc
import Netlink
import Reports
import TestSupport
import Testing

@testable import Agent

@Suite struct CleanupWordsTests {
    @Test func oneAndSeveral() {
        #expect(Cleanup.unseen(processes: 1) == "one process does not show its namespace")
        #expect(Cleanup.unseen(processes: 2) == "2 processes do not show their namespaces")
        #expect(Cleanup.loaded([7]).hasPrefix("program 7 of nilo is loaded"))
        #expect(Cleanup.loaded([7, 9]).hasPrefix("programs 7, 9 of nilo are loaded"))
    }
}

@Suite(.requires(.root, .clsact)) struct CleanupTests {
    /// What an agent leaves that was killed: everything but the process. In the calling thread's namespaces.
    private static func leaveBehind(_ mode: AttachMode, root: String, on interface: String) throws {
        var options = Datapath.Options()
        options.pins = PinDirectory(root: root)
        options.geometry = TableGeometry(flows: 1024, logRecordsPerCPU: 256, ledgers: 16, ghosts: 64)
        options.mode = mode
        let datapath = try Datapath(options: options)
        let namespace = try Netlink.NetworkNamespace.current()
        let none = [DeviceCounters(packets: 0, bytes: 0), DeviceCounters(packets: 0, bytes: 0)]
        _ = try datapath.attach(
            Device(ifindex: try interfaceIndex(interface), name: interface, namespaceCookie: namespace.cookie), counters: { none })
    }

    /// Only what the test made: other tests' filters are in other namespaces.
    private static func scope() -> Cleanup.Scope {
        var scope = Cleanup.Scope(AgentConfiguration())
        scope.searchesNamespaces = false
        scope.directories = [BPFFileSystem.own, "/run/nilo"]
        scope.replacedQdiscs = "/run/replaced-qdiscs.json"
        return scope
    }

    private static func mountOwn() throws { _ = try sh("mkdir -p \(BPFFileSystem.own); mount -t bpf bpf \(BPFFileSystem.own)") }

    private static func filters(_ interface: String) throws -> Int {
        let socket = try NetlinkSocket()
        let index = Int32(try interfaceIndex(interface))
        return try socket.filters(of: index, at: .ingress).count + socket.filters(of: index, at: .egress).count
    }

    @Test func everythingOfAKilledAgentGoes() async throws {
        try await withOwnMounts {
            _ = try sh("ip link add va type veth peer name vb")
            try Self.mountOwn()
            let root = "\(BPFFileSystem.own)/nilo"
            try Self.leaveBehind(.clsact, root: root, on: "va")
            #expect(try Self.filters("va") == 2)
            // A socket that nobody listens on.
            _ = try sh("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('/run/nilo/control.sock')\"")

            let plan = try Cleanup.plan(Self.scope())
            let commands = plan.removed.map(\.command)
            #expect(plan.dryRun && plan.failed.isEmpty && plan.left.isEmpty)
            #expect(commands.contains { $0.hasPrefix("tc filter del dev va ingress pref ") && $0.hasSuffix(" handle 0x4e49 bpf") })
            #expect(commands.contains { $0.hasPrefix("tc filter del dev va egress pref ") })
            for command in [
                "rm \(root)/\(PinDirectory.version)/maps/nilo_registry", "tc qdisc del dev va clsact", "rmdir \(root)",
                "umount \(BPFFileSystem.own)",
                "rm /run/nilo/control.sock", "rmdir /run/nilo",
            ] { #expect(commands.contains(command), "\(command)") }
            // Nothing has happened yet.
            #expect(try Self.filters("va") == 2 && access("\(root)/\(PinDirectory.version)/maps/nilo_registry", F_OK) == 0)

            let report = try Cleanup.run(Self.scope())
            #expect(report.failed.isEmpty && report.removed.map(\.command) == commands)
            #expect(try Self.filters("va") == 0)
            #expect(try !sh("tc qdisc show dev va").contains("clsact"))
            #expect(access("/run/nilo", F_OK) != 0)
            #expect(try Cleanup.plan(Self.scope()).removed.isEmpty)
        }
    }

    /// The commands of the dry run, typed, do the same.
    @Test(.requires(.tcx)) func thePlanCanBeTyped() async throws {
        try await withOwnMounts {
            _ = try sh("ip link add va type veth peer name vb; ip link add vc type veth peer name vd")
            try Self.mountOwn()
            try Self.leaveBehind(.tcx, root: "\(BPFFileSystem.own)/nilo", on: "va")
            try Self.leaveBehind(.clsact, root: "\(BPFFileSystem.own)/nilo", on: "vc")
            let index = try interfaceIndex("va")
            #expect(try DatapathProbe.tcxPrograms(ifindex: index, .ingress) == ["nilo_ingress"])
            let plan = try Cleanup.plan(Self.scope())
            #expect(plan.removed.contains { $0.command == "rm \(BPFFileSystem.own)/nilo/\(PinDirectory.version)/links/1-ingress" })
            _ = try sh(plan.removed.map(\.command).joined(separator: "\n"))
            // The kernel releases an unpinned link in its own time.
            for _ in 0..<Int(500 * patience) where try !DatapathProbe.tcxPrograms(ifindex: index, .ingress).isEmpty { usleep(10_000) }
            #expect(try DatapathProbe.tcxPrograms(ifindex: index, .ingress).isEmpty)
            #expect(try Self.filters("vc") == 0 && access("/run/nilo", F_OK) != 0)
        }
    }

    @Test func nothingOfAnyoneElseIsTouched() async throws {
        try await withOwnMounts {
            _ = try sh("ip link add va type veth peer name vb")
            try Self.mountOwn()
            let root = "\(BPFFileSystem.own)/nilo"
            try Self.leaveBehind(.clsact, root: root, on: "va")
            // Someone's filter on the qdisc that we made, one with our handle of another kind, a directory in our bpffs, a file of ours.
            _ = try sh(
                """
                tc filter add dev va egress protocol ip prio 49 u32 match u32 0 0 classid 1:1
                mkdir \(BPFFileSystem.own)/theirs \(root)/\(PinDirectory.version)/other
                touch /run/nilo/note; tc qdisc add dev vb clsact
                """)
            let report = try Cleanup.run(Self.scope())
            let socket = try NetlinkSocket()
            let (va, vb) = (Int32(try interfaceIndex("va")), Int32(try interfaceIndex("vb")))
            #expect(try socket.filters(of: va, at: .ingress).isEmpty)
            #expect(try socket.filters(of: va, at: .egress).allSatisfy { $0.kind == "u32" } && !socket.isClsactEmpty(on: va))
            #expect(try socket.qdiscs(of: vb).contains(where: \.isClsact))
            #expect(access("\(BPFFileSystem.own)/theirs", F_OK) == 0 && access("\(root)/\(PinDirectory.version)/other", F_OK) == 0)
            #expect(access("\(root)/\(PinDirectory.version)/maps", F_OK) != 0 && access("/run/nilo/note", F_OK) == 0)
            for name in ["\(root)/\(PinDirectory.version)/other", "theirs", "/run/nilo/note"] {
                #expect(report.left.contains { $0.contains(name) }, "\(name)")
            }
            #expect(report.failed.isEmpty)
        }
    }

    @Test func aRunningAgentIsLeftAlone() async throws {
        try await withOwnMounts {
            _ = try sh("mkdir /run/nilo; ip link add va type veth peer name vb")
            let server = try BackgroundProcess([
                "python3", "-u", "-c",
                "import socket,time; s=socket.socket(socket.AF_UNIX); s.bind('/run/nilo/control.sock'); s.listen(); print('ready'); time.sleep(60)",
            ])
            for _ in 0..<Int(1000 * patience) where (try? Cleanup.isAnswered("/run/nilo/control.sock")) != true { usleep(10_000) }
            let failure = #expect(throws: AgentFailure.self) { try Cleanup.run(Self.scope()) }
            #expect(failure?.hint == "nilo stop")
            if case .alreadyRunning? = failure?.kind {} else { Issue.record("\(String(describing: failure?.kind))") }
            #expect(access("/run/nilo/control.sock", F_OK) == 0)
            try server.stop()
        }
    }

    @Test func otherNamespacesAreSearched() async throws {
        try await withOwnMounts {
            _ = try sh("ip netns add blue; ip -n blue link add va type veth peer name vb")
            let blue = try Netlink.NetworkNamespace.named("blue")
            try Self.mountOwn()
            try blue.inside { try Self.leaveBehind(.clsact, root: "\(BPFFileSystem.own)/nilo", on: "va") }
            var scope = Self.scope()
            scope.searchesNamespaces = true
            // Planned only: the search finds other tests' namespaces too.
            let mine = try Cleanup.plan(scope).removed.filter { $0.namespace == "netns blue" }
            #expect(mine.count == 3 && mine.last?.command == "tc qdisc del dev va clsact")
        }
    }
}
