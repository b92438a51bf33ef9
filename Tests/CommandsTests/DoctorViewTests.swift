import Agent
import Glibc
import Reports
import Synchronization
import Terminal
import Testing

@testable import Commands

@Suite struct DoctorViewTests {
    private static let report = DoctorReport(
        version: "1.2.3",
        checks: [
            .init("kernel", .ok, "Linux 6.12.1, x86_64"),
            .init("interfaces", .ok, "eth0 (default route)", use: "and in namespaces that match all"),
            .init("hook", .fail, "tcx no,\nclsact no", fix: "modprobe sch_ingress"), .init("BPF JIT", .warn, "off", fix: "sysctl"),
        ], interfaces: [.init(name: "eth0", kind: "device", why: "default route", others: ["tcx ingress: cil_from_netdev"])])

    @Test func oneLineForEachCheck() {
        let text = DoctorView(output: TerminalOutput(isTerminal: false, width: 0, color: false)).text(Self.report)
        #expect(
            text == """
                ok    kernel      Linux 6.12.1, x86_64
                ok    interfaces  eth0 (default route) → and in namespaces that match all
                                  eth0 also has tcx ingress: cil_from_netdev
                FAIL  hook        tcx no,
                                  clsact no
                                  fix: modprobe sch_ingress
                warn  BPF JIT     off
                                  fix: sysctl
                nilo 1.2.3 cannot work here as configured: 1 failed, 1 to be looked at

                """)
    }

    @Test func aFailureIsAnExitStatus() throws {
        let written = Written()
        let failure = #expect(throws: CommandFailure.self) { try DoctorVerb.show(Self.report, json: true, written.context) }
        #expect(failure?.code == .failed && failure?.why == "failed: hook" && failure?.hint == nil)
        #expect(written.text.contains("\"isHealthy\":false") && written.text.contains("\"fix\":\"modprobe sch_ingress\""))
        try DoctorVerb.show(DoctorReport(version: "1", checks: [Self.report.checks[3]], interfaces: []), json: false, written.context)
    }

    @Test func aDryRunIsCommands() {
        let view = CleanupView(output: TerminalOutput(isTerminal: false, width: 0, color: false))
        var report = CleanupReport(
            dryRun: true,
            removed: [
                .init(
                    "ingress filter of eth0", namespace: "netns blue", command: "tc filter del dev eth0 ingress pref 1 handle 0x4e49 bpf"),
                .init("pin /a", command: "rm /a"),
            ], left: ["/b is nothing that nilo makes"])
        #expect(
            view.text(report) == """
                tc filter del dev eth0 ingress pref 1 handle 0x4e49 bpf  # in netns blue
                rm /a
                # /b is nothing that nilo makes

                """)
        report.dryRun = false
        report.failed = [.init(.init("our bpffs at /c", command: "umount /c"), why: "unmount /c: busy")]
        #expect(
            view.text(report) == """
                removed ingress filter of eth0 in netns blue
                removed pin /a
                failed: our bpffs at /c: unmount /c: busy
                left: /b is nothing that nilo makes

                """)
        #expect(view.text(CleanupReport(dryRun: false)) == "nothing to clean up\n")
    }

    @Test func failuresOfTheAgentHaveTheirExitStatus() {
        #expect(
            CommandFailure(AgentFailure("clean up", "it needs to be root", hint: "sudo nilo cleanup", kind: .permission)).code
                == .permission)
        #expect(CommandFailure(AgentFailure("clean up", "an agent is running", kind: .alreadyRunning)).code == .failed)
    }
}

/// Standard output as a value.
private final class Written: Sendable {
    private let bytes = Mutex("")
    var text: String { bytes.withLock { $0 } }
    var context: CommandContext {
        CommandContext(
            output: TerminalOutput(isTerminal: false, width: 0, color: false), write: { [self] text in bytes.withLock { $0 += text } },
            complain: { _ in })
    }
}
