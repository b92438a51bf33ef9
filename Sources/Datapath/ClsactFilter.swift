import CDatapath
import CLibBPF
import Flows
import Glibc

/// An attachment as a bpf filter in direct-action mode on the clsact qdisc. It stays when the process ends.
struct ClsactFilter {
    /// Marks our filters ("NI").
    static let handle: UInt32 = 0x4E49
    static let programNames: Set<String> = ["nilo_ingress", "nilo_egress"]

    let ifindex: UInt32
    let direction: Direction
    let priority: UInt32

    // Up to the last field: libbpf wants zeros in all that is said to be there, and Swift does not keep padding when it copies.
    private static let hookBytes = MemoryLayout<bpf_tc_hook>.offset(of: \.parent)! + MemoryLayout<UInt32>.size
    private static let optionBytes = MemoryLayout<bpf_tc_opts>.offset(of: \.priority)! + MemoryLayout<UInt32>.size

    private var hook: bpf_tc_hook {
        var hook = bpf_tc_hook()
        hook.sz = Self.hookBytes
        hook.ifindex = Int32(ifindex)
        hook.attach_point = direction == .ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS
        return hook
    }

    private func options() -> bpf_tc_opts {
        var options = bpf_tc_opts()
        options.sz = Self.optionBytes
        options.handle = Self.handle
        options.priority = priority
        return options
    }

    /// tc qdisc add dev DEV clsact
    /// - Returns: false when there was one already: then it is someone else's.
    static func addQdisc(ifindex: UInt32) throws(BPFError) -> Bool {
        var hook = ClsactFilter(ifindex: ifindex, direction: .ingress, priority: 1).hook
        let result = bpf_tc_hook_create(&hook)
        if result == -EEXIST { return false }
        try check(result, "add clsact to interface \(ifindex)")
        return true
    }

    /// tc filter replace dev DEV ingress pref PRIORITY handle 0x4e49 bpf direct-action object-pinned PROG
    ///
    /// Adds the filter, or exchanges its program in one step.
    func attach(program: Int32) throws(BPFError) {
        var hook = hook
        var options = options()
        options.prog_fd = program
        options.flags = UInt32(BPF_TC_F_REPLACE.rawValue)
        try check(bpf_tc_attach(&hook, &options), "attach \(direction) filter to interface \(ifindex), preference \(priority)")
    }

    /// Is there a filter of ours here?
    func isOurs() throws(BPFError) -> Bool {
        var hook = hook
        var options = options()
        let result = bpf_tc_query(&hook, &options)
        if result == -ENOENT || result == -EINVAL || result == -ENODEV { return false }
        try check(result, "ask for the \(direction) filter of interface \(ifindex)")
        return Self.programNames.contains(try Self.programName(id: options.prog_id))
    }

    /// tc filter del dev DEV ingress pref PRIORITY handle 0x4e49 bpf
    ///
    /// Removes the filter if it runs `program`; another's in the same place stays. (Asking a program that one does not hold for its name
    /// would need CAP_SYS_ADMIN.)
    func detach(program: Int32) throws(BPFError) {
        guard try runs(program: program) else { return }
        var hook = hook
        var removed = options()
        try check(bpf_tc_detach(&hook, &removed), "remove \(direction) filter of interface \(ifindex)")
    }

    /// Is `program` attached here?
    func runs(program: Int32) throws(BPFError) -> Bool {
        var hook = hook
        var options = options()
        let result = bpf_tc_query(&hook, &options)
        if result == -ENOENT || result == -EINVAL || result == -ENODEV { return false }
        try check(result, "ask for the \(direction) filter of interface \(ifindex)")
        return options.prog_id == (try Self.programID(program))
    }

    private static func programID(_ program: Int32) throws(BPFError) -> UInt32 {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        try check(bpf_obj_get_info_by_fd(program, &info, &size), "ask a program for its number")
        return info.id
    }

    static func programName(id: UInt32) throws(BPFError) -> String {
        let fd = try check(bpf_prog_get_fd_by_id(id), "open program \(id)")
        defer { close(fd) }
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        try check(bpf_obj_get_info_by_fd(fd, &info, &size), "ask program \(id) for its name")
        return withUnsafeBytes(of: info.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// The preferences to try, best first: another kind of filter may hold one.
    static func priorities(first: Bool) -> [UInt32] { first ? Array(1...16) : Array((0xFEF0...0xFEFF).reversed()) }
}
