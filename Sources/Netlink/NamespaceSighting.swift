import Glibc

/// A network namespace as ``NamespaceFinder`` knows it.
public struct NamespaceSighting: Sendable, Equatable {
    public var id: NamespaceID
    /// ``NetworkNamespace/cookie``; 0 when it could not be entered to ask (no CAP_SYS_ADMIN, or gone already).
    public var cookie: UInt64 = 0
    /// Its file under /run/netns; the first in order when there are several.
    public var name: String?
    /// A process in it.
    public var pid: Int32?
    public var owner: NamespaceOwner = .unknown

    /// Opens what was seen, by name or by process.
    /// - Throws: `NetlinkError`; ESTALE when name and process meanwhile lead to another namespace or are gone.
    public func open() throws(NetlinkError) -> NetworkNamespace {
        let label = name ?? "net:[\(id.inode)]"
        if let name, let found = try found({ () throws(NetlinkError) in try .named(name) }) { return found }
        if let pid, let found = try found({ () throws(NetlinkError) in try .ofProcess(pid) }) { return found }
        throw NetlinkError("open network namespace \(label)", code: ESTALE)
    }

    private func found(_ open: () throws(NetlinkError) -> NetworkNamespace) throws(NetlinkError) -> NetworkNamespace? {
        do throws(NetlinkError) {
            let namespace = try open()
            return namespace.id == id ? namespace : nil
        } catch  where error.code == ENOENT || error.code == ESRCH || error.code == EINVAL { return nil }
    }
}

/// What one step of ``NamespaceFinder/scan(processes:)`` found. Where a new namespace was given the number of one that had gone, the same
/// ``NamespaceID`` is in ``vanished`` and in ``appeared``, with two cookies: handle what vanished first.
public struct NamespaceChanges: Sendable, Equatable {
    public var appeared: [NamespaceSighting] = []
    /// Name or owner became known or changed.
    public var updated: [NamespaceSighting] = []
    /// Neither a name nor a process is left (as far as both can be read): close descriptors and sockets to let it go.
    public var vanished: [NamespaceSighting] = []
    /// The walk over all processes reached its end in this step.
    public var isPassComplete = false
    /// Processes whose namespace this process may not see (EACCES, EPERM), since the pass began.
    public var unreadableProcesses = 0

    public var isEmpty: Bool { appeared.isEmpty && updated.isEmpty && vanished.isEmpty }
}
