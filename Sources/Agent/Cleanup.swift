import CLinux
import Configuration
import Datapath
import Flows
import Glibc
import Netlink
import Reports

/// Takes away every trace of Nilometer on this machine, also after the agent was killed, with no state but the kernel's own; and nothing
/// of anyone else's: pins by the names that only we make, filters by handle and program, clsact qdiscs that our registry says we made,
/// root qdiscs by our handle, mirror ports by name, kind and alias. Qdiscs of others that ours had replaced come back.
public enum Cleanup {
    /// Where to look.
    public struct Scope: Sendable {
        /// Nilometer's directories in every bpffs that may hold one.
        public var roots = ["\(BPFFileSystem.system)/nilo", "\(BPFFileSystem.own)/nilo"]
        /// A bpffs that only we mount.
        public var ownMount = BPFFileSystem.own
        /// Sockets of the agent: answered, they tell that it is running; else they are stale.
        public var sockets: [String] = []
        /// Directories of ours, removed when they are empty, innermost first.
        public var directories = [BPFFileSystem.own, "/run/nilo", "/var/lib/nilo"]
        /// Where it is written which qdiscs of others ours stand in the place of.
        public var replacedQdiscs = ReplacedQdiscs.path
        /// The folder of policy files, which stays.
        public var policy: String?
        /// Every namespace that can be found, or only the calling thread's.
        public var searchesNamespaces = true

        public init() {}

        /// The usual places, and what the configuration names.
        public init(_ configuration: AgentConfiguration) {
            sockets = [configuration.control.socket, configuration.control.readSocket]
            policy = configuration.policy
            if case .path(let path) = configuration.bpffs { roots = Array(Set(roots + ["\(path)/nilo"])).sorted() }
        }
    }

    /// What would be done, as the commands that a person would type.
    /// - Throws: `AgentFailure` when an agent is running (`.alreadyRunning`), or without the right to look (`.permission`).
    public static func plan(_ scope: Scope) throws -> CleanupReport {
        let plan = try CleanupPlan(scope)
        return CleanupReport(dryRun: true, removed: plan.steps.map(\.report), failed: plan.unreadable, left: plan.left)
    }

    /// Does it. One step that fails keeps none of the others from being done.
    /// - Throws: as ``plan(_:)``; what goes wrong later is in the report.
    public static func run(_ scope: Scope) throws -> CleanupReport {
        let plan = try CleanupPlan(scope)
        var report = CleanupReport(dryRun: false, failed: plan.unreadable, left: plan.left)
        for step in plan.steps {
            do {
                try step.run()
                report.removed.append(step.report)
            } catch {
                report.failed.append(.init(step.report, why: oneLine(error)))
            }
        }
        report.left += leftBehind()
        return report
    }

    /// A program without a pin that we know and without a filter: another process holds it, or a pin somewhere else.
    private static func leftBehind() -> [String] {
        do {
            let programs = try Remains.loadedPrograms()
            if programs.isEmpty { return [] }
            return [loaded(programs)]
        } catch { return ["which programs are still loaded could not be seen: \(error)"] }
    }

    /// Reports are lines.
    static func oneLine(_ error: any Error) -> String {
        guard let failure = error as? AgentFailure else { return "\(error)" }
        return "\(failure.what): \(failure.why)" + (failure.hint.map { " (\($0))" } ?? "")
    }

    static func unseen(processes count: Int) -> String {
        count == 1 ? "one process does not show its namespace" : "\(count) processes do not show their namespaces"
    }

    static func loaded(_ programs: [UInt32]) -> String {
        let ids = programs.map(String.init).joined(separator: ", ")
        return
            (programs.count == 1
            ? "program \(ids) of nilo is loaded and not ours to take: a process holds it"
            : "programs \(ids) of nilo are loaded and not ours to take: a process holds them")
            + ", or a pin or namespace that was not found (bpftool prog show)"
    }

    /// Does anyone accept connections on a Unix socket?
    static func isAnswered(_ path: String) throws(AgentFailure) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw AgentFailure("look for an agent on \(path)", "the path is too long for a socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { throw AgentFailure("look for an agent on \(path)", String(cString: strerror(errno))) }
        defer { close(fd) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        if result == 0 { return true }
        switch errno {
        case ENOENT, ENOTDIR, ECONNREFUSED: return false
        // Someone listens, whose queue is full.
        case EAGAIN: return true
        case ENOTSOCK, EPROTOTYPE: return false
        case EACCES, EPERM:
            throw AgentFailure("look for an agent on \(path)", "permission denied", hint: "run as root", kind: .permission)
        default: throw AgentFailure("look for an agent on \(path)", String(cString: strerror(errno)))
        }
    }
}
