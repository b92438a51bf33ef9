import CLibBPF
import Glibc

/// The names of `enum skb_drop_reason`, as the running kernel's BTF gives them: the numbers differ from version to version.
public struct DropReasons: Sendable {
    private let names: [UInt32: String]

    private static let prefix = "SKB_DROP_REASON_"
    /// SKB_DROP_REASON_SUBSYS_SHIFT: in the high half a subsystem that numbers its own reasons (Linux 6.4).
    private static let subsystemShift: UInt32 = 16

    /// Reads the kernel's BTF: some 10 ms, once.
    public init() throws(BPFError) {
        guard let btf = btf__load_vmlinux_btf() else { throw BPFError("read the kernel's BTF", code: errno) }
        defer { btf__free(btf) }
        let id = btf__find_by_name_kind(btf, "skb_drop_reason", UInt32(BTF_KIND_ENUM))
        try check(id, "find enum skb_drop_reason in the kernel's BTF")
        guard let type = btf__type_by_id(btf, UInt32(id)) else { throw BPFError("read enum skb_drop_reason", code: errno) }
        var names: [UInt32: String] = [:]
        let values = UnsafeBufferPointer(start: btf_enum(type), count: Int(btf_vlen(type)))
        for value in values {
            guard let text = btf__name_by_offset(btf, value.name_off) else { continue }
            let name = String(cString: text)
            names[UInt32(bitPattern: value.val)] = String(name.hasPrefix(Self.prefix) ? name.dropFirst(Self.prefix.count) : name[...])
        }
        self.names = names
    }

    init(names: [UInt32: String]) { self.names = names }

    /// `"NO_SOCKET"`; `"SUBSYSTEM_3_REASON_7"` for a subsystem's own, `"REASON_200"` for a number that the kernel does not name.
    public func name(_ reason: UInt32) -> String {
        if let name = names[reason] { return name }
        let subsystem = reason >> Self.subsystemShift
        return subsystem == 0 ? "REASON_\(reason)" : "SUBSYSTEM_\(subsystem)_REASON_\(reason & ((1 << Self.subsystemShift) - 1))"
    }

    /// The number of a name without its prefix; nil when the kernel has none of that name.
    public func number(_ name: String) -> UInt32? { names.first { $0.value == name }?.key }
}
