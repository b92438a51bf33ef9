import Glibc
import Synchronization
import Testing

/// Something of the machine or the kernel that a test cannot do without. It is tried, not guessed from a version.
public struct Requirement: Sendable, CustomStringConvertible {
    /// What a skip says is missing.
    public let description: String
    private let probe: @Sendable () async throws -> Void

    /// - Parameter probe: throws when the requirement is not met; runs once per process.
    public init(_ description: String, _ probe: @escaping @Sendable () async throws -> Void) {
        self.description = description
        self.probe = probe
    }

    /// nil when met, else why not.
    public func missing() async -> String? {
        let task = Self.tried.withLock { tried in
            if let task = tried[description] { return task }
            let task = Task { [self] () -> String? in
                do {
                    try await probe()
                    return nil
                } catch {
                    return "needs \(description): \(error)"
                }
            }
            tried[description] = task
            return task
        }
        return await task.value
    }

    private static let tried = Mutex<[String: Task<String?, Never>]>([:])
}

extension Requirement {
    public static let root = Requirement("root") {
        if geteuid() != 0 { throw SystemError(command: "geteuid", status: 1, output: "not root") }
    }
    /// tcx links: kernel 6.6.
    public static let tcx = Requirement("tcx links") {
        try await NetworkNamespace().run {
            let link = try TinyProgram.passing().attachTCX(1, ingress: true)
            close(link)
        }
    }
    public static let clsact = tc("the clsact qdisc", "clsact")
    public static let netem = tc("the netem qdisc", "root netem delay 1ms")
    public static let htb = tc("the htb qdisc", "root handle 1: htb")
    public static let tbf = tc("the tbf qdisc", "root tbf rate 1mbit burst 10k latency 10ms")
    public static let fq = tc("the fq qdisc", "root fq")
    public static let vlanDevices = device("VLAN devices", "v0 type veth peer name v1 && ip link add link v0 name x type vlan id 5")
    public static let vxlan = device("VXLAN devices", "x type vxlan id 5 dstport 4789 local 127.0.0.1")
    public static let bridge = device("bridges", "x type bridge")
    public static let dummy = device("dummy devices", "x type dummy")
    public static let ifb = device("IFB devices", "x type ifb")
    public static let macvlan = device("macvlan devices", "v0 type veth peer name v1 && ip link add link v0 name x type macvlan")
    public static let bond = device("bonds", "x type bond")
    public static let vrf = device("VRF devices", "x type vrf table 9")
    public static let gre = device("GRE tunnels", "x type gre local 127.0.0.1 remote 127.0.0.2")
    public static let geneve = device("GENEVE tunnels", "x type geneve id 5 remote 127.0.0.2")
    public static let ipip = device("IP-in-IP tunnels", "x type ipip local 127.0.0.1 remote 127.0.0.2")
    public static let wireGuard = device("WireGuard devices", "x type wireguard")
    /// Programs on BTF-typed raw tracepoints.
    public static let tpBTF = Requirement("tp_btf programs") { _ = try TinyProgram.tracing("kfree_skb") }
    /// The kernel's own type descriptions.
    public static let btf = Requirement("BTF of the kernel") {
        try checked(access("/sys/kernel/btf/vmlinux", R_OK), "read /sys/kernel/btf/vmlinux")
    }

    /// A program on PATH.
    public static func command(_ name: String) -> Requirement {
        Requirement("the command \(name)") { try await onOwnThread { _ = try TestSupport.sh("command -v \(name)") } }
    }

    /// A qdisc that `tc qdisc add dev DEVICE …` can make.
    public static func tc(_ description: String, _ arguments: String) -> Requirement {
        Requirement(description) { try await NetworkNamespace().sh("tc qdisc add dev lo \(arguments)") }
    }

    /// A device that `ip link add …` can make.
    public static func device(_ description: String, _ arguments: String) -> Requirement {
        Requirement(description) { try await NetworkNamespace().sh("ip link add \(arguments)") }
    }
}

/// Skips a test (or suite) whose requirements are not met, and keeps count of it: `@Test(.requires(.root, .tcx))`.
///
/// Each skip is one line, `test`, a tab and the reason, appended to the file that the environment variable NILO_SKIPS
/// names, so that whoever runs the tests can print how many there were and why, and compare with what is expected on a kernel.
public struct RequirementTrait: TestTrait, SuiteTrait {
    public let requirements: [Requirement]
    private let note: @Sendable (String, String) -> Void

    /// - Parameter note: what is done with the test's name and the reason of a skip.
    public init(requirements: [Requirement], note: @escaping @Sendable (String, String) -> Void = { Skips.note($0, $1) }) {
        self.requirements = requirements
        self.note = note
    }

    public func prepare(for test: Test) async throws {
        for requirement in requirements {
            guard let reason = await requirement.missing() else { continue }
            note(test.name, reason)
            try await ConditionTrait.disabled(Comment(rawValue: reason)).prepare(for: test)
        }
    }
}

extension Trait where Self == RequirementTrait {
    public static func requires(_ requirements: Requirement...) -> RequirementTrait { RequirementTrait(requirements: requirements) }
}

/// The tests that were skipped in this process.
public enum Skips {
    private static let noted = Mutex<[(test: String, reason: String)]>([])

    public static var all: [(test: String, reason: String)] { noted.withLock { $0 } }

    /// Counts a skip; for a test that finds out half-way that it cannot go on.
    /// - Parameter path: the file that the line is appended to; none when nil.
    public static func note(_ test: String, _ reason: String, in path: String? = getenv("NILO_SKIPS").map { String(cString: $0) }) {
        noted.withLock { $0.append((test, reason)) }
        guard let path else { return }
        let line = Array("\(test)\t\(reason.split(separator: "\n").joined(separator: " "))\n".utf8)
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        // One write(2) with O_APPEND: lines of several processes do not mix.
        guard file >= 0, Glibc.write(file, line, line.count) == line.count else {
            fatalError("NILO_SKIPS: \(SystemError("write \(path)"))")
        }
        close(file)
    }
}
