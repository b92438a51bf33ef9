import CSeccomp
import Glibc

/// Which system calls a process may still make (seccomp(2)), for good.
public enum SystemCallFilter {
    /// Reading and writing what is open, memory that is not to be executed, clocks, timers and signals of its own, ending.
    /// No file, socket, process, thread or program can be opened or started.
    private static let computing = [
        "read", "write", "readv", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "poll", "ppoll", "close", "munmap", "mremap", "brk",
        "madvise", "futex", "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "time", "getrandom", "getpid", "gettid",
        "rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "sigaltstack", "setitimer", "getitimer", "restart_syscall", "sched_yield",
        "getrusage", "exit", "exit_group",
    ]
    /// Only without the right to execute, which is bit 2 of their third argument.
    private static let memory = ["mmap", "mprotect"]

    /// Refuses everything else with EPERM. What a thread that exists already does is not changed; threads cannot be started any more.
    public static func allowComputingOnly() throws(PrivilegesError) {
        guard let filter = seccomp_init(seccomp_refuse()) else { throw .system(operation: "make a system call filter", code: ENOMEM) }
        defer { seccomp_release(filter) }
        let allow = UInt32(SCMP_ACT_ALLOW)
        for name in computing {
            let number = seccomp_syscall_resolve_name(name)
            // What this architecture does not have cannot be called.
            if number < 0 { continue }
            try check(seccomp_rule_add_array(filter, allow, number, 0, nil), "allow \(name)")
        }
        for name in memory {
            var condition = scmp_arg_cmp(arg: 2, op: SCMP_CMP_MASKED_EQ, datum_a: UInt64(PROT_EXEC), datum_b: 0)
            try check(seccomp_rule_add_array(filter, allow, seccomp_syscall_resolve_name(name), 1, &condition), "allow \(name)")
        }
        // To itself, as abort(3) does.
        var own = scmp_arg_cmp(arg: 0, op: SCMP_CMP_EQ, datum_a: UInt64(getpid()), datum_b: 0)
        try check(seccomp_rule_add_array(filter, allow, seccomp_syscall_resolve_name("tgkill"), 1, &own), "allow tgkill")
        try check(seccomp_load(filter), "install the system call filter")
    }

    private static func check(_ result: Int32, _ operation: String) throws(PrivilegesError) {
        if result < 0 { throw .system(operation: operation, code: -result) }
    }
}
