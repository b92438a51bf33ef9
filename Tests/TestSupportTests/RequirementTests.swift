import Glibc
import Synchronization
import TestSupport
import Testing

@Suite struct RequirementTests {
    private static let unmet = Requirement("a kernel that walks on water") {
        throw SystemError(command: "walk", status: 1, output: "it sank")
    }
    private static let trials = Mutex(0)

    @Test func whatCannotRunIsSkippedWithItsReason() async throws {
        let notes = Mutex<[String]>([])
        let trait = RequirementTrait(requirements: [Self.unmet]) { test, reason in notes.withLock { $0.append("\(test): \(reason)") } }
        let test = try #require(Test.current)
        await #expect(throws: (any Error).self) { try await trait.prepare(for: test) }
        #expect(notes.withLock { $0 } == ["\(test.name): needs a kernel that walks on water: walk: it sank (1)"])
        try await RequirementTrait(requirements: [.command("sh")]).prepare(for: test)
        #expect(await Requirement.command("no-such-command").missing() != nil)
    }

    @Test func skipsAreWrittenLineByLine() throws {
        let path = "/tmp/nilo-skips-\(getpid())"
        defer { unlink(path) }
        Skips.note("a()", "one\nreason", in: path)
        Skips.note("b()", "another", in: path)
        #expect(try contents(of: path) == "a()\tone reason\nb()\tanother\n")
        #expect(Skips.all.suffix(2).map(\.test) == ["a()", "b()"])
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
            Requirement.tcx, .clsact, .netem, .htb, .tbf, .fq, .vlanDevices, .vxlan, .bridge, .dummy, .ifb, .macvlan, .bond, .vrf,
            .gre, .geneve, .ipip, .wireGuard, .tpBTF, .btf,
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
