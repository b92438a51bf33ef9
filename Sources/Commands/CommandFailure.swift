import Agent
import NetworkTypes

/// How the process ends. Scripts decide on these, never on text.
public enum ExitCode: Int32, Sendable, CaseIterable {
    case success = 0
    case failed = 1
    /// The command line or the configuration is not understood.
    case usage = 2
    case permission = 3
    case agentUnreachable = 4

    public var meaning: String {
        switch self {
        case .success: "fine"
        case .failed: "failed"
        case .usage: "the command line or the configuration is not understood"
        case .permission: "permission is missing"
        case .agentUnreachable: "the agent cannot be reached"
        }
    }
}

/// Why a command did not do what was asked, in words for a person.
public struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed: `attach to eth0`.
    public var what: String
    /// Why: `no such device`.
    public var why: String
    /// What to do about it.
    public var hint: String?
    public var code: ExitCode

    public init(_ what: String, _ why: String, hint: String? = nil, code: ExitCode = .failed) {
        self.what = what
        self.why = why
        self.hint = hint
        self.code = code
    }

    /// `nilo: what failed: why`, and a line `hint: …`. Without a line end.
    /// Only the reason may have several lines, as that of a configuration with several mistakes has.
    public var description: String {
        let lines = why.split(separator: "\n", omittingEmptySubsequences: false).map(\.visible)
        return "nilo: \(what.visible): " + lines.joined(separator: "\n") + (hint.map { "\nhint: \($0.visible)" } ?? "")
    }
}

extension CommandFailure {
    init(_ failure: AgentFailure) {
        self.init(failure.what, failure.why, hint: failure.hint, code: failure.kind == .permission ? .permission : .failed)
    }
}
