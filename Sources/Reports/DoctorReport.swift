/// What `nilo doctor` found: whether the agent can work on this machine, how it will, and what to mend.
public struct DoctorReport: Codable, Hashable, Sendable {
    public enum Status: String, Codable, Hashable, Sendable {
        case ok, warn, fail
    }

    public struct Check: Codable, Hashable, Sendable {
        /// `"bpffs"`.
        public var name: String
        public var status: Status
        /// What is there.
        public var found: String
        /// What will be used, and why; nil when there is no choice.
        public var use: String?
        /// What to do about it; nil when nothing.
        public var fix: String?

        public init(_ name: String, _ status: Status, _ found: String, use: String? = nil, fix: String? = nil) {
            self.name = name
            self.status = status
            self.found = found
            self.use = use
            self.fix = fix
        }
    }

    /// An interface that would be measured.
    public struct Interface: Codable, Hashable, Sendable {
        public var name: String
        /// `veth`, `vxlan`, …; `device` where the kernel names no kind.
        public var kind: String
        /// Which selector of the configuration chose it.
        public var why: String
        /// Programs of others on the same hooks, and XDP before them: `"tcx ingress: cil_from_netdev"`.
        public var others: [String]

        public init(name: String, kind: String, why: String, others: [String]) {
            self.name = name
            self.kind = kind
            self.why = why
            self.others = others
        }
    }

    public var version: String
    public var checks: [Check]
    public var interfaces: [Interface]
    /// Nothing failed: the agent can work.
    public var isHealthy: Bool

    public init(version: String, checks: [Check], interfaces: [Interface]) {
        self.version = version
        self.checks = checks
        self.interfaces = interfaces
        isHealthy = !checks.contains { $0.status == .fail }
    }
}
