import API
import Datapath
import Glibc
import Netlink

/// Why the agent could not start or go on, in words for a person.
public struct AgentFailure: Error, Sendable, CustomStringConvertible {
    /// What callers decide on.
    public enum Kind: Sendable { case permission, alreadyRunning, unsupported, failed }

    public var what: String
    public var why: String
    public var hint: String?
    public var kind: Kind

    public init(_ what: String, _ why: String, hint: String? = nil, kind: Kind = .failed) {
        self.what = what
        self.why = why
        self.hint = hint
        self.kind = kind
    }

    public var description: String { "\(what): \(why)" + (hint.map { "\nhint: \($0)" } ?? "") }

    init(_ error: BPFError) {
        let why = String(cString: strerror(error.code)) + (error.detail.isEmpty ? "" : ": \(error.detail)")
        switch error.code {
        case EPERM, EACCES:
            self.init(error.operation, why, hint: "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON", kind: .permission)
        case EBUSY: self.init(error.operation, why, hint: "stop the other agent first: nilo stop", kind: .alreadyRunning)
        case EPROTO:
            self.init(
                error.operation, why, hint: "stop the other version first (nilo stop), then remove its counters with: nilo cleanup",
                kind: .unsupported)
        case EOPNOTSUPP, ENOSYS: self.init(error.operation, why, hint: "nilo doctor tells what this kernel can do", kind: .unsupported)
        default: self.init(error.operation, why)
        }
    }

    init(_ error: ListenError) {
        var isTaken = false
        if case .anotherInstance = error { isTaken = true }
        self.init("listen", "\(error)", hint: error.hint, kind: isTaken ? .alreadyRunning : .failed)
    }
}
