import CCapNG
import CLinux
import Glibc

/// What every thread of the process may do, and giving up what it need not.
public enum ProcessPrivileges {
    /// One thread's sets, as the kernel shows them (proc(5), /proc/PID/task/TID/status).
    public struct ThreadState: Sendable, Equatable {
        public var thread: Int32
        public var inheritable: UInt64
        public var permitted: UInt64
        public var effective: UInt64
        public var bounding: UInt64
        public var ambient: UInt64
        public var noNewPrivileges: Bool
    }

    /// Keeps `kept` (as far as the process has them) as permitted and effective, and drops all others, the inheritable, ambient and (where
    /// CAP_SETPCAP allows) the bounding set, and sets no_new_privs. Then reads back every thread and throws if any holds more.
    ///
    /// The kernel's sets belong to threads: those that exist already keep theirs and make this throw. Call it before others are started;
    /// threads started later inherit. Returns the sets as read back from the calling thread.
    /// - Parameter started: of `kept`, what programs that this one starts as root have too: they stay in the bounding set.
    @discardableResult
    public static func drop(keeping kept: Set<Capability>, started: Set<Capability> = []) throws(PrivilegesError) -> ThreadState {
        guard capng_get_caps_process() == 0 else { throw .system(operation: "read the process's capabilities", code: errno) }
        let before = try thread(lx_gettid())
        let wanted = Capability.mask(kept) & before.permitted
        let bounding = Capability.mask(started) & wanted
        let mayBound = before.effective >> UInt64(CAP_SETPCAP) & 1 == 1
        capng_clear(CAPNG_SELECT_ALL)
        let both = capng_type_t(CAPNG_EFFECTIVE.rawValue | CAPNG_PERMITTED.rawValue)
        for capability in Capability.set(wanted) {
            guard capng_update(CAPNG_ADD, both, capability.number) == 0 else {
                throw .system(operation: "keep \(capability)", code: EINVAL)
            }
        }
        for capability in Capability.set(bounding) {
            guard capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, capability.number) == 0 else {
                throw .system(operation: "keep \(capability)", code: EINVAL)
            }
        }
        // The bounding set first: dropping it needs CAP_SETPCAP, which the next step gives up.
        if mayBound {
            guard capng_apply(CAPNG_SELECT_BOUNDS) == 0 else { throw .system(operation: "drop the bounding set", code: errno) }
        }
        guard capng_apply(CAPNG_SELECT_CAPS) == 0 else { throw .system(operation: "drop capabilities", code: errno) }
        guard capng_apply(CAPNG_SELECT_AMBIENT) == 0 else { throw .system(operation: "drop ambient capabilities", code: errno) }
        guard prctl_no_new_privs() == 0 else { throw .system(operation: "set no_new_privs", code: errno) }
        for state in try threads() { try verify(state, wanted, bounding: mayBound ? bounding : nil) }
        return try thread(lx_gettid())
    }

    /// - Parameter bounding: nil: as it was.
    private static func verify(_ state: ThreadState, _ wanted: UInt64, bounding: UInt64?) throws(PrivilegesError) {
        let own = state.thread == lx_gettid()
        var left = (state.permitted | state.effective | state.inheritable | state.ambient) & ~wanted
        if let bounding { left |= state.bounding & ~bounding }
        if left != 0 { throw .stillHeld(thread: state.thread, Capability.set(left)) }
        if !state.noNewPrivileges { throw .newPrivilegesPossible(thread: state.thread) }
        if own, state.effective != wanted { throw .missing(Capability.set(wanted & ~state.effective)) }
    }

    /// Every thread of the process.
    public static func threads() throws(PrivilegesError) -> [ThreadState] {
        guard let directory = opendir("/proc/self/task") else { throw .system(operation: "list /proc/self/task", code: errno) }
        defer { closedir(directory) }
        var states: [ThreadState] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let identifier = Int32(name) else { continue }
            do {
                states.append(try thread(identifier))
            } catch .system(_, let code) where code == ENOENT || code == ESRCH {
                continue  // It ended meanwhile.
            }
        }
        return states
    }

    private static func thread(_ identifier: Int32) throws(PrivilegesError) -> ThreadState {
        let path = "/proc/self/task/\(identifier)/status"
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw .system(operation: "read \(path)", code: errno) }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(fd, &chunk, chunk.count)
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw .system(operation: "read \(path)", code: errno)
            }
        }
        guard let state = parse(bytes, thread: identifier) else { throw .system(operation: "understand \(path)", code: EPROTO) }
        return state
    }

    static func parse(_ bytes: [UInt8], thread: Int32) -> ThreadState? {
        var values: [Substring: Substring] = [:]
        let text = String(decoding: bytes, as: UTF8.self)
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1].drop { $0 == "\t" || $0 == " " } }
        }
        func mask(_ name: Substring) -> UInt64? { values[name].flatMap { UInt64($0, radix: 16) } }
        guard let inheritable = mask("CapInh"), let permitted = mask("CapPrm"), let effective = mask("CapEff"),
            let bounding = mask("CapBnd"),
            let ambient = mask("CapAmb"), let flag = values["NoNewPrivs"]
        else { return nil }
        return ThreadState(
            thread: thread, inheritable: inheritable, permitted: permitted, effective: effective, bounding: bounding, ambient: ambient,
            noNewPrivileges: flag == "1")
    }
}

/// Why privileges are not what they should be.
public enum PrivilegesError: Error, Sendable, Equatable, CustomStringConvertible {
    case system(operation: String, code: Int32)
    /// A thread has more than was to be kept: it was started before the drop.
    case stillHeld(thread: Int32, Set<Capability>)
    case newPrivilegesPossible(thread: Int32)
    case missing(Set<Capability>)

    public var description: String {
        func names(_ set: Set<Capability>) -> String { set.map(\.description).sorted().joined(separator: ", ") }
        switch self {
        case .system(let operation, let code): return "\(operation): \(String(cString: strerror(code)))"
        case .stillHeld(let thread, let set): return "thread \(thread) still holds \(names(set))"
        case .newPrivilegesPossible(let thread): return "thread \(thread) can still gain privileges"
        case .missing(let set): return "the kernel took away \(names(set))"
        }
    }
}
