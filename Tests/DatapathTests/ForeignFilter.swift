import CLibBPF
import Glibc
import TestSupport

/// Someone else's program on a clsact qdisc.
struct ForeignFilter: Sendable {
    static let handle: UInt32 = 1
    let interface: UInt32
    let ingress: Bool
    let priority: UInt32

    private var hook: bpf_tc_hook {
        var hook = bpf_tc_hook()
        hook.sz = MemoryLayout<bpf_tc_hook>.offset(of: \.parent)! + 4
        hook.ifindex = Int32(interface)
        hook.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS
        return hook
    }
    private func options(_ program: Int32 = 0) -> bpf_tc_opts {
        var options = bpf_tc_opts()
        options.sz = MemoryLayout<bpf_tc_opts>.offset(of: \.priority)! + 4
        options.prog_fd = program
        options.handle = Self.handle
        options.priority = priority
        return options
    }

    /// Adds the program, and the qdisc where there is none. The index is of the calling thread's namespace.
    init(_ program: TinyProgram, on interface: UInt32, ingress: Bool, priority: UInt32) throws {
        self.interface = interface
        self.ingress = ingress
        self.priority = priority
        var hook = hook
        let made = bpf_tc_hook_create(&hook)
        if made != 0 && made != -EEXIST { throw SystemError("add clsact", errno: -made) }
        var options = options(program.descriptor)
        let attached = bpf_tc_attach(&hook, &options)
        if attached != 0 { throw SystemError("attach a filter", errno: -attached) }
    }

    /// Is it there? From a thread in the interface's namespace.
    func isThere() -> Bool {
        var hook = hook
        var options = options()
        return bpf_tc_query(&hook, &options) == 0
    }
}
