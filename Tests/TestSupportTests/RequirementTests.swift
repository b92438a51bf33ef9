import Glibc
import Synchronization
import TestSupport
import Testing

@Suite struct RequirementTests {
    private static let unmet = Requirement("a kernel that walks on water") {
        throw SystemError(command: "walk", status: 1, output: "it sank")
    }
    private static let trials = Mutex(0)

    @Test(.requires(unmet)) func skipsWhatCannotRun() {
        Issue.record("a test ran whose requirement is not met")
    }

    @Test func reasonsAreTold() async {
        #expect(await Self.unmet.missing()?.contains("it sank") == true)
        #expect(Skips.all.contains { $0.test.hasPrefix("skipsWhatCannotRun") && $0.reason.contains("walks on water") })
        #expect(await Requirement.command("no-such-command").missing() != nil)
        #expect(await Requirement.command("sh").missing() == nil)
    }

    @Test func probesRunOnce() async {
        let counted = Requirement("something counted") { Self.trials.withLock { $0 += 1 } }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { #expect(await counted.missing() == nil) } }
        }
        #expect(Self.trials.withLock { $0 } == 1)
    }

    /// Tells the kernel's features apart; on any kernel a probe's answer must be one of the two, and not a thrown bug of the probe.
    @Test(.requires(.root)) func kernelFeaturesAreProbed() async {
        for requirement in [
            Requirement.tcx, .clsact, .netem, .htb, .tbf, .fq, .vlanDevices, .vxlan, .bridge, .dummy, .ifb, .tpBTF, .btf,
        ] {
            let answer = await requirement.missing()
            print("\(requirement): \(answer ?? "there")")
            #expect(answer == nil || answer!.hasPrefix("needs \(requirement)"))
        }
        // No kernel that Nilometer supports is without these.
        #expect(await Requirement.clsact.missing() == nil)
        #expect(await Requirement.btf.missing() == nil)
    }
}
