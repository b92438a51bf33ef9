import Glibc

/// One agent at a time works a thing of a network namespace (the mirror port, the classes of an interface), whatever bpffs it keeps its pins
/// in: an abstract Unix socket (unix(7)) of that namespace, which ends with the process however that ends.
public final class NamespaceLock {
    /// Without a descriptor where somebody without privileges has taken the name: nobody keeps an agent from its work by that.
    private let descriptor: Int32?

    /// What is worked.
    public enum Subject: Hashable, Sendable {
        case mirrorPort
        /// Root qdisc and classes of the interface with that index.
        case classes(UInt32)

        var name: String {
            switch self {
            case .mirrorPort: "nilometer mirror port"
            case .classes(let index): "nilometer classes \(index)"
            }
        }
    }

    /// - Parameter patience: how long to wait for whoever holds it.
    /// - Throws: `NetlinkError` with EBUSY while another process of root's holds it; the detail names it.
    public init(_ subject: Subject = .mirrorPort, in namespace: NetworkNamespace, patience: Duration = .zero) throws(NetlinkError) {
        let name = subject.name
        let operation = "own the \(subject == .mirrorPort ? "mirror port" : "classes of an interface")"
        let end = ContinuousClock.now + patience
        descriptor = try namespace.entered { () throws(NetlinkError) -> Int32? in
            var unknown = 0
            while true {
                let socket = try Self.socket()
                if Self.with(name, { bind(socket, $0, $1) }) == 0, listen(socket, Self.backlog) == 0 { return socket }
                let code = errno
                close(socket)
                guard code == EADDRINUSE else { throw NetlinkError(operation, code: code) }
                if let holder = try Self.holder(name) {
                    if holder.uid != 0 { return nil }
                    if ContinuousClock.now >= end {
                        let who = holder.pid > 0 ? "process \(holder.pid)" : "a process of another PID namespace"
                        throw NetlinkError(operation, code: EBUSY, detail: "\(who) works it")
                    }
                } else {
                    // Agents listen.
                    unknown += 1
                    if unknown == 3 { return nil }
                }
                usleep(10_000)
            }
        }
    }

    /// Who has it, another process, in words; nil: one could have it.
    public static func occupant(
        of subject: Subject = .mirrorPort, in namespace: NetworkNamespace, patience: Duration = .zero
    ) throws(NetlinkError) -> String? {
        do throws(NetlinkError) {
            let lock = try NamespaceLock(subject, in: namespace, patience: patience)
            withExtendedLifetime(lock) {}
            return nil
        } catch {
            if error.code == EBUSY { return error.detail }
            throw error
        }
    }

    /// How many may ask who we are before ``drain()`` is called.
    private static let backlog: Int32 = 128

    /// Lets go of those who asked; now and then.
    public func drain() {
        guard let descriptor else { return }
        while true {
            let asker = accept(descriptor, nil, nil)
            guard asker >= 0 else { return }
            close(asker)
        }
    }

    deinit { if let descriptor { close(descriptor) } }

    /// Of the calling thread's namespace.
    private static func socket() throws(NetlinkError) -> Int32 {
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = Glibc.socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw NetlinkError("make a socket", code: errno) }
        return descriptor
    }

    /// Who listens by the name; nil: nobody any more, or it does not tell.
    private static func holder(_ name: String) throws(NetlinkError) -> (pid: Int32, uid: UInt32)? {
        let descriptor = try socket()
        defer { close(descriptor) }
        guard with(name, { connect(descriptor, $0, $1) }) == 0 else { return nil }
        // struct ucred (unix(7)) is hidden behind _GNU_SOURCE: pid, uid, gid.
        var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else { return nil }
        return (credentials.pid, credentials.uid)
    }

    /// The address of an abstract name: a NUL before it, none after it.
    private static func with(_ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { path in
            for (index, byte) in name.utf8.enumerated() { path[index + 1] = byte }
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + 1 + name.utf8.count)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }
}
