import CLinux
import Glibc
import Netlink
import Policy

/// Which kinds of qdiscs the kernel has, found by trying them on the loopback device of a namespace that is gone right after.
enum QdiscKinds {
    /// Kinds that a policy can make use of.
    static let asked = ["htb", "fq"]

    /// - Precondition: the calling thread is alone, and may make and enter namespaces.
    static func probe() -> Set<String> {
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0, lx_unshare_net() == 0 else {
            close(home)
            return []
        }
        defer {
            precondition(lx_setns_net(home) == 0, "cannot return to the home namespace: errno \(errno)")
            close(home)
        }
        guard let socket = try? NetlinkSocket() else { return [] }
        var found: Set<String> = []
        for kind in asked where isThere(kind, socket) { found.insert(kind) }
        return found
    }

    private static func isThere(_ kind: String, _ socket: NetlinkSocket) -> Bool {
        let loopback: Int32 = 1
        do throws(NetlinkError) {
            if kind == "htb" {
                try socket.apply([.addRoot, .removeRoot(HTBTree())], to: loopback)
            } else {
                try socket.apply([.restoreForeign(QdiscRecipe(kind: kind, handle: 0x1_0000, options: []))], to: loopback)
            }
            return true
        } catch { return error.code != ENOENT && error.code != EOPNOTSUPP }
    }
}
