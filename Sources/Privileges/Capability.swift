import CCapNG

/// A capability of capabilities(7), by the kernel's number.
public struct Capability: Sendable, Hashable, CustomStringConvertible {
    public var number: UInt32

    public init(number: UInt32) { self.number = number }

    public static let bpf = Capability(number: UInt32(CAP_BPF))
    public static let netAdmin = Capability(number: UInt32(CAP_NET_ADMIN))
    public static let perfmon = Capability(number: UInt32(CAP_PERFMON))
    public static let setgid = Capability(number: UInt32(CAP_SETGID))
    public static let setuid = Capability(number: UInt32(CAP_SETUID))
    public static let sysAdmin = Capability(number: UInt32(CAP_SYS_ADMIN))
    public static let sysPtrace = Capability(number: UInt32(CAP_SYS_PTRACE))

    /// `cap_net_admin`; the number for one that libcap-ng has no name for.
    public var description: String { capng_capability_to_name(number).map { "cap_" + String(cString: $0) } ?? "cap_\(number)" }

    /// As in the masks of /proc/PID/status.
    static func mask(_ capabilities: Set<Capability>) -> UInt64 { capabilities.reduce(0) { $0 | 1 << UInt64($1.number) } }

    static func set(_ mask: UInt64) -> Set<Capability> {
        Set((0..<64).filter { mask >> UInt64($0) & 1 == 1 }.map { Capability(number: $0) })
    }
}
