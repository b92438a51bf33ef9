import CLibBPF

/// Constants of the kernel's interface that are newer than Debian 12's headers (Linux 6.1), each with the version that brought it.
enum KernelConstants {
    /// BPF_TCX_INGRESS, BPF_TCX_EGRESS: Linux 6.6.
    static let tcxIngress = bpf_attach_type(rawValue: 46)
    static let tcxEgress = bpf_attach_type(rawValue: 47)
    /// BPF_F_BEFORE, BPF_F_AFTER of a multi-program attach point: Linux 6.6.
    static let before: UInt32 = 1 << 3
    static let after: UInt32 = 1 << 4
    /// BPF_LINK_TYPE_TCX: Linux 6.6.
    static let linkTypeTCX: UInt32 = 11
    /// Offset of tcx.ifindex in struct bpf_link_info: Linux 6.6.
    static let linkInfoTCXIfindex = 16
}
