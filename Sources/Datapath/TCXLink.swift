import CLibBPF
import CLinux
import Flows
import Glibc

/// A tcx attachment: the link's descriptor, or its pin, *is* the attachment.
package final class TCXLink {
    private let fd: Int32

    private init(fd: Int32) { self.fd = fd }

    /// There is no tc command for a tcx link; `bpftool net attach tcx_ingress pinned PROG dev DEV` (bpftool 7.5) comes closest.
    /// - Precondition: the calling thread is in the interface's namespace.
    package static func attach(program: Int32, ifindex: UInt32, _ direction: Direction, first: Bool) throws(BPFError) -> TCXLink {
        // libbpf 1.1's bpf_link_create has no words for BEFORE and AFTER: the call as the kernel reads it (struct bpf_attr, link_create).
        var attr = bpf_attr()
        let type = direction == .ingress ? KernelConstants.tcxIngress : KernelConstants.tcxEgress
        withUnsafeMutableBytes(of: &attr) { bytes in
            bytes.storeBytes(of: UInt32(program), toByteOffset: 0, as: UInt32.self)
            bytes.storeBytes(of: ifindex, toByteOffset: 4, as: UInt32.self)
            bytes.storeBytes(of: type.rawValue, toByteOffset: 8, as: UInt32.self)
            bytes.storeBytes(of: first ? KernelConstants.before : KernelConstants.after, toByteOffset: 12, as: UInt32.self)
        }
        let fd = lx_bpf(Int32(BPF_LINK_CREATE.rawValue), &attr, 64)
        guard fd >= 0 else { throw BPFError("attach \(direction) program to interface \(ifindex) by tcx", code: errno) }
        return TCXLink(fd: Int32(fd))
    }

    /// - Returns: nil when nothing is pinned there.
    static func pinned(at path: String) throws(BPFError) -> TCXLink? {
        let fd = bpf_obj_get(path)
        if fd == -ENOENT { return nil }
        return TCXLink(fd: try check(fd, "open pinned link \(path)"))
    }

    deinit { close(fd) }

    func pin(at path: String) throws(BPFError) { try check(bpf_obj_pin(fd, path), "pin link \(path)") }

    /// One atomic exchange: every packet meets the old program or the new one.
    func update(program: Int32) throws(BPFError) {
        try check(bpf_link_update(fd, program, nil), "exchange the program of a link")
    }

    func detach() throws(BPFError) {
        let result = bpf_link_detach(fd)
        // The device is gone, and the attachment with it.
        if result == -ENOLINK { return }
        try check(result, "detach a link")
    }

    /// The interface it is on; 0 when that is gone.
    func ifindex() throws(BPFError) -> UInt32 {
        var info = [UInt8](repeating: 0, count: 256)
        var size = UInt32(info.count)
        try check(bpf_obj_get_info_by_fd(fd, &info, &size), "ask a link for its interface")
        return info.withUnsafeBytes { $0.load(fromByteOffset: KernelConstants.linkInfoTCXIfindex, as: UInt32.self) }
    }

    /// Does the kernel know tcx? Asked by attaching to an interface that cannot exist: a kernel that knows it looks for the interface first.
    static func isSupported(program: Int32) -> Bool {
        do {
            _ = try attach(program: program, ifindex: UInt32(Int32.max), .ingress, first: true)
            return true
        } catch {
            return error.code == ENODEV
        }
    }
}
