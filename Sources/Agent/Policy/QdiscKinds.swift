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
        (try? inScratchNamespace(probe)) ?? []
    }

    /// - Parameter socket: of a namespace whose loopback device nobody needs.
    static func probe(_ socket: NetlinkSocket) -> Set<String> { Set(asked.filter { isThere($0, socket) }) }

    /// Tries something in a network namespace that is gone right after, with the loopback device alone in it.
    /// - Precondition: the calling thread is alone.
    static func inScratchNamespace<Outcome>(_ attempt: (NetlinkSocket) throws -> Outcome) throws -> Outcome {
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { throw NetlinkError("remember the network namespace", code: errno) }
        defer { close(home) }
        guard lx_unshare_net() == 0 else { throw NetlinkError("make a network namespace", code: errno) }
        defer { precondition(lx_setns_net(home) == 0, "cannot return to the home namespace: errno \(errno)") }
        return try attempt(try NetlinkSocket())
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
