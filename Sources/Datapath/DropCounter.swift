import CDatapath
import CLibBPF
import Glibc

/// What the kernel drops, by namespace, device and reason: a program on the tracepoint `kfree_skb`.
///
/// Counts from when it is made, in all namespaces, until it is released; nothing of it outlives the process. A packet that is dropped
/// after our hook was seen by the flow programs too: these counts say why a packet did not arrive, they are no part of the ledger.
public final class DropCounter {
    /// One line of ``read()``.
    public struct Count: Sendable, Hashable {
        /// `SO_NETNS_COOKIE`; 0: not known.
        public var namespaceCookie: UInt64
        /// 0: not known (a drop in a socket).
        public var ifindex: UInt32
        /// `enum skb_drop_reason` of the running kernel: see ``DropReasons``.
        public var reason: UInt32
        public var skbs: UInt64
        /// As long as the skbs were when they were dropped: without the headers that had been taken off.
        public var bytes: UInt64
    }

    private let object: OpaquePointer  // struct bpf_object *
    private let link: OpaquePointer  // struct bpf_link *
    private let map: Int32
    private let overflowMap: Int32

    /// - Throws: `BPFError` with the verifier's or libbpf's reason where the kernel cannot do this: no BTF (ESRCH), no tp_btf programs, no
    ///   CAP_BPF and CAP_PERFMON (EPERM), a kernel before 5.17, whose tracepoint tells no reason (EACCES, EINVAL).
    public init() throws(BPFError) {
        libbpf_set_print(nil)
        guard access("/sys/kernel/btf/vmlinux", R_OK) == 0 else {
            throw BPFError("count drops by reason", code: errno, detail: "the kernel gives no BTF (CONFIG_DEBUG_INFO_BTF)")
        }
        var options = bpf_object_open_opts()
        // Up to the last field used here: libbpf wants zeros in padding that is said to be there.
        options.sz = MemoryLayout<bpf_object_open_opts>.offset(of: \.object_name)! + MemoryLayout<UnsafeRawPointer>.size
        let opened = "nilo_drops".withCString { name in
            options.object_name = name
            return bpf_object__open_mem(nilo_drops_object(), nilo_drops_object_size(), &options)
        }
        guard let opened else { throw BPFError("open the drop program", code: errno) }
        do throws(BPFError) {
            try check(bpf_object__load(opened), "load the drop program")
            guard let program = bpf_object__find_program_by_name(opened, "nilo_kfree_skb"),
                let map = bpf_object__find_map_by_name(opened, "nilo_drops"),
                let overflow = bpf_object__find_map_by_name(opened, "nilo_drops_over")
            else { preconditionFailure("the drop program lacks a part") }
            guard let link = bpf_program__attach(program) else { throw BPFError("attach the drop program", code: errno) }
            self.link = link
            self.map = bpf_map__fd(map)
            overflowMap = bpf_map__fd(overflow)
        } catch {
            bpf_object__close(opened)
            throw error
        }
        object = opened
    }

    deinit {
        bpf_link__destroy(link)
        bpf_object__close(object)
    }

    /// All counts since it was made, in no order. Each is exact; they are not of one moment.
    public func read() throws(BPFError) -> [Count] {
        var counts: [Count] = []
        var key = nilo_drop_key()
        var next = nilo_drop_key()
        var more = bpf_map_get_next_key(map, nil, &next)
        while more == 0 {
            key = next
            var drops = nilo_drops()
            try check(bpf_map_lookup_elem(map, &key, &drops), "read the drop counts")
            counts.append(
                Count(namespaceCookie: key.netns_cookie, ifindex: key.ifindex, reason: key.reason, skbs: drops.skbs, bytes: drops.bytes))
            more = bpf_map_get_next_key(map, &key, &next)
        }
        if more != -ENOENT { try check(more, "read the drop counts") }
        return counts
    }

    /// Drops that found no room: more than `NILO_DROPS` combinations came up.
    public func overflow() throws(BPFError) -> (skbs: UInt64, bytes: UInt64) {
        var zero: UInt32 = 0
        var drops = nilo_drops()
        try check(bpf_map_lookup_elem(overflowMap, &zero, &drops), "read the drop overflow")
        return (drops.skbs, drops.bytes)
    }
}
