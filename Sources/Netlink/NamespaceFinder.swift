import CNetlink
import Glibc

/// Finds the network namespaces of the machine; netlink does not announce them.
///
/// Two sources: the names under /run/netns (`ip netns list`), watched by inotify, and the processes (`lsns -t net`), walked in steps of a
/// bounded number. One walk over P processes in steps of N made every T takes P / N · T: that bounds how late a namespace without a name is
/// found, and how late it is found gone. Not found: a namespace held only by a descriptor, a socket, a bind mount elsewhere, or a thread
/// that left its process's namespace. For one thread.
public final class NamespaceFinder {
    /// Where `ip netns` and CNI plugins put names.
    public static let directory = "/run/netns"

    /// Readable when names changed: for epoll(7). Calls of ``scan(processes:)`` read it.
    public var descriptor: Int32 { watch.descriptor }
    /// Every namespace known now.
    public var sightings: [NamespaceSighting] { known.values.map(\.sighting) }

    private struct Entry {
        var sighting: NamespaceSighting
        /// The walk in which a process in it was last seen, or in which its name went.
        var seen: UInt64
        /// The walk in which `sighting.pid` was seen.
        var walked: UInt64?
    }

    private let directory: String
    private let watch: DirectoryWatch
    private let host: NamespaceID
    private var known: [NamespaceID: Entry] = [:]
    private var isListingDue = true
    /// Files that are no namespace (yet), and how often they were looked at: `ip netns add` makes the file first and mounts over it after,
    /// and inotify does not tell of the mount.
    private var pending: [String: Int] = [:]
    private var walk: OpaquePointer?  // DIR * over /proc
    private var pass: UInt64 = 1
    private var unreadable = 0

    /// How many steps in a row look again at a file that is no namespace yet; after that it is looked at once in a walk.
    static let pendingAttempts = 64

    /// - Parameter directory: where names are, an absolute path; it need not exist.
    public init(directory: String = NamespaceFinder.directory) throws(NetlinkError) {
        self.directory = directory
        watch = try DirectoryWatch(directory)
        guard let host = NamespaceID(path: "/proc/1/ns/net") ?? NamespaceID(path: NetworkNamespace.calling) else {
            throw NetlinkError("read \(NetworkNamespace.calling)", code: errno)
        }
        self.host = host
    }

    deinit { if let walk { closedir(walk) } }

    /// One step: new names at once, and the next `limit` processes of the walk. Call it when ``descriptor`` is readable and a few times a
    /// second besides.
    public func scan(processes limit: Int) throws(NetlinkError) -> NamespaceChanges {
        precondition(limit > 0, "a step of \(limit) processes would never end a walk")
        var changes = NamespaceChanges()
        if try watch.drain() || walk == nil { isListingDue = true }
        if isListingDue || pending.values.contains(where: { $0 < Self.pendingAttempts }) {
            try list(&changes)
            isListingDue = false
        }
        try walkOn(limit, &changes)
        changes.unreadableProcesses = unreadable
        return changes
    }

    // MARK: names

    private func list(_ changes: inout NamespaceChanges) throws(NetlinkError) {
        var names: [NamespaceID: String] = [:]
        var unmounted: [String: Int] = [:]
        for file in try files() {
            guard let id = NamespaceID(path: "\(directory)/\(file)") else { continue }
            if id.device == host.device {
                names[id] = min(names[id] ?? file, file)
            } else {
                unmounted[file] = (pending[file] ?? 0) + 1
            }
        }
        pending = unmounted
        for (id, name) in names { update(id, &changes) { $0.name = name } }
        for (id, entry) in known where entry.sighting.name != nil && names[id] == nil {
            known[id]?.seen = pass
            update(id, &changes) { $0.name = nil }
        }
    }

    private func files() throws(NetlinkError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw NetlinkError("list \(directory)", code: errno)
        }
        defer { closedir(stream) }
        var files: [String] = []
        while let entry = readdir(stream) { files.append(entry.pointee.name) }
        return files.filter { $0 != "." && $0 != ".." }
    }

    // MARK: processes

    private func walkOn(_ limit: Int, _ changes: inout NamespaceChanges) throws(NetlinkError) {
        if walk == nil {
            walk = opendir("/proc")
            unreadable = 0
        }
        guard let walk else { throw NetlinkError("list /proc", code: errno) }
        var steps = 0
        while steps < limit {
            guard let entry = readdir(walk) else {
                closedir(walk)
                self.walk = nil
                endPass(&changes)
                return
            }
            guard let pid = Int32(entry.pointee.name) else { continue }
            steps += 1
            guard let id = NamespaceID(path: "/proc/\(pid)/ns/net") else {
                if errno == EACCES || errno == EPERM { unreadable += 1 }
                continue
            }
            // The first of a walk stands for the others, so that a namespace's process is the same from walk to walk while it lives.
            if known[id]?.walked == pass { continue }
            update(id, &changes) { $0.pid = pid }
            known[id]?.seen = pass
            known[id]?.walked = pass
        }
    }

    private func endPass(_ changes: inout NamespaceChanges) {
        for (id, entry) in known {
            if entry.sighting.pid != nil, entry.walked != pass { update(id, &changes) { $0.pid = nil } }
            if entry.sighting.name == nil, entry.seen < pass { forget(id, &changes) }
        }
        pass += 1
        changes.isPassComplete = true
    }

    // MARK: what is known

    private func forget(_ id: NamespaceID, _ changes: inout NamespaceChanges) {
        guard let gone = known.removeValue(forKey: id)?.sighting else { return }
        changes.updated.removeAll { $0.id == id }
        // One that came and went within a step is no news.
        if let at = changes.appeared.firstIndex(where: { $0.id == id }) {
            changes.appeared.remove(at: at)
        } else {
            changes.vanished.append(gone)
        }
    }

    private func update(_ id: NamespaceID, _ changes: inout NamespaceChanges, _ change: (inout NamespaceSighting) -> Void) {
        var old = known[id]
        var sighting = old?.sighting ?? NamespaceSighting(id: id)
        change(&sighting)
        if sighting == old?.sighting { return }
        // A namespace that cannot be opened keeps what is known of it; 0 says that nothing is.
        let cookie = (try? sighting.open().cookie) ?? sighting.cookie
        if let before = old?.sighting, before.cookie != 0, before.cookie != cookie {
            // Another namespace under a number that was free again.
            forget(id, &changes)
            old = nil
            sighting = NamespaceSighting(id: id)
            change(&sighting)
        }
        sighting.cookie = cookie
        sighting.owner = owner(of: sighting, before: old?.sighting)
        known[id] = Entry(sighting: sighting, seen: old?.seen ?? pass, walked: old?.walked)
        if let at = changes.appeared.firstIndex(where: { $0.id == id }) {
            changes.appeared[at] = sighting
        } else if let at = changes.updated.firstIndex(where: { $0.id == id }) {
            changes.updated[at] = sighting
        } else if let before = old?.sighting {
            // Another process of the same owner is no news.
            if before.owner != sighting.owner || before.name != sighting.name { changes.updated.append(sighting) }
        } else {
            changes.appeared.append(sighting)
        }
    }

    /// A container says most, then the name that someone gave, then the unit. A namespace whose process is gone but which lives on under a
    /// name keeps the container that it was.
    private func owner(of sighting: NamespaceSighting, before: NamespaceSighting?) -> NamespaceOwner {
        if sighting.id == host { return .host }
        let process = sighting.pid.flatMap { fileText("/proc/\($0)/cgroup") }.map { NamespaceOwner(cgroups: $0) } ?? .unknown
        if case .container = process { return process }
        if case .container? = before?.owner, sighting.pid == nil, let before { return before.owner }
        if let name = sighting.name { return .name(name) }
        return process
    }
}

extension dirent {
    /// The entry's name; bytes that are not UTF-8 are replaced.
    fileprivate var name: String { withUnsafeBytes(of: d_name) { $0.text } }
}

/// The text of a small file; nil when it cannot be read (a process that has just ended).
private func fileText(_ path: String) -> String? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = read(fd, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { return nil }
        if count == 0 { return String(decoding: text, as: UTF8.self) }
        text += chunk[..<count]
    }
}
