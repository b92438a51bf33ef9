import CCapNG
import CLinux
import Glibc

/// Making a process that reads what strangers sent into one that can do next to nothing: see `enter`, then `SystemCallFilter`.
public enum Confinement {
    /// setrlimit(2). No core file, no file written, no further thread or process is always among them.
    public struct Limits: Sendable {
        /// Descriptors, those that are open included.
        public var descriptors: UInt = 16
        /// Bytes of address space, libraries included.
        public var addressSpace: UInt = 1 << 30

        public init() {}
    }

    /// Nobody's user and group, on every Linux.
    public static let nobody: UInt32 = 65534

    /// Closes every descriptor from `firstClosed` on, sets the limits, becomes nobody where the process may, gives up all capabilities for
    /// good, and lets no other process look into this one. Call it in a process with one thread, before anything is read.
    ///
    /// A process that may not change its user (CAP_SETUID, CAP_SETGID) keeps it, without capabilities.
    /// - Returns: the user that the process now has.
    @discardableResult
    public static func enter(closingFrom firstClosed: UInt32, _ limits: Limits = Limits()) throws(PrivilegesError) -> UInt32 {
        guard lx_close_from(firstClosed) == 0 else { throw .system(operation: "close descriptors", code: errno) }
        try limit(RLIMIT_CORE, 0, "core files")
        try limit(RLIMIT_FSIZE, 0, "file sizes")
        try limit(RLIMIT_NOFILE, limits.descriptors, "descriptors")
        try limit(RLIMIT_AS, limits.addressSpace, "address space")
        let state = try ProcessPrivileges.drop(keeping: [.setuid, .setgid])
        let both = UInt64(1) << UInt64(CAP_SETUID) | 1 << UInt64(CAP_SETGID)
        if geteuid() == 0, state.effective & both == both {
            guard setgroups(0, nil) == 0, setgid(nobody) == 0, setuid(nobody) == 0 else {
                throw .system(operation: "become nobody", code: errno)
            }
            guard getuid() == nobody, geteuid() == nobody, getgid() == nobody, getegid() == nobody else {
                throw .system(operation: "become nobody", code: EPERM)
            }
        }
        try ProcessPrivileges.drop(keeping: [])
        // Counted per user: only now does it speak of this process's own.
        try limit(__RLIMIT_NPROC, 0, "processes")
        guard prctl_not_dumpable() == 0 else { throw .system(operation: "keep others from tracing", code: errno) }
        return geteuid()
    }

    private static func limit(_ resource: __rlimit_resource, _ value: UInt, _ what: String) throws(PrivilegesError) {
        var before = rlimit()
        let number = __rlimit_resource_t(resource.rawValue)
        guard getrlimit(number, &before) == 0 else { throw .system(operation: "limit \(what)", code: errno) }
        // Nobody may raise what is already lower.
        let bound = min(value, before.rlim_max)
        var both = rlimit(rlim_cur: bound, rlim_max: bound)
        guard setrlimit(number, &both) == 0 else { throw .system(operation: "limit \(what)", code: errno) }
    }
}
