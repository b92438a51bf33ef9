import Glibc

/// Finds the processes that hold sockets, by `/proc/PID/fd` (proc(5)): `ls -l /proc/*/fd | grep socket:`.
struct ProcessWalk {
    private let bounds: OwnerTable.Bounds

    init(_ bounds: OwnerTable.Bounds) { self.bounds = bounds }

    /// - Parameter wanted: the sockets' inodes.
    func holders(
        of wanted: Set<UInt32>
    ) throws(NetlinkError) -> (holders: [UInt32: (first: OwnerTable.Process, others: Int)], whyNotFound: OwnerTable.Unknown) {
        var found: [UInt32: (first: OwnerTable.Process, others: Int)] = [:]
        var reason = OwnerTable.Unknown.noProcess
        if wanted.isEmpty { return (found, reason) }
        guard let directory = opendir("/proc") else { throw NetlinkError("list /proc", code: errno) }
        defer { closedir(directory) }
        var processes = 0
        var descriptors = 0
        while let entry = readdir(directory) {
            guard let pid = Int32(withUnsafeBytes(of: entry.pointee.d_name, { $0.text })) else { continue }
            processes += 1
            guard processes <= bounds.processes, descriptors < bounds.descriptors else { return (found, .walkBounded) }
            guard let held = sockets(of: pid, among: wanted, &descriptors) else {
                if errno == EACCES || errno == EPERM { reason = .notPermitted }
                continue  // It ended meanwhile.
            }
            guard !held.isEmpty else { continue }
            let process = OwnerTable.Process(pid: pid, command: command(of: pid))
            for inode in held {
                if let first = found[inode]?.first {
                    found[inode] = (first, (found[inode]?.others ?? 0) + 1)
                } else {
                    found[inode] = (process, 0)
                }
            }
        }
        return (found, reason)
    }

    /// nil, with errno, when the process's descriptors cannot be listed.
    private func sockets(of pid: Int32, among wanted: Set<UInt32>, _ descriptors: inout Int) -> Set<UInt32>? {
        guard let directory = opendir("/proc/\(pid)/fd") else { return nil }
        defer { closedir(directory) }
        var held: Set<UInt32> = []
        var target = [UInt8](repeating: 0, count: 64)
        while descriptors < bounds.descriptors, let entry = readdir(directory) {
            descriptors += 1
            let count = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    target.withUnsafeMutableBytes {
                        readlinkat(dirfd(directory), name, $0.baseAddress!.assumingMemoryBound(to: CChar.self), 64)
                    }
                }
            }
            guard count > 9, let inode = Self.inode(target[..<count]), wanted.contains(inode) else { continue }
            held.insert(inode)
        }
        return held
    }

    /// `socket:[12345]`.
    static func inode(_ target: ArraySlice<UInt8>) -> UInt32? {
        let text = String(decoding: target, as: UTF8.self)
        guard text.hasPrefix("socket:["), text.hasSuffix("]") else { return nil }
        return UInt32(text.dropFirst(8).dropLast())
    }

    private func command(of pid: Int32) -> String {
        let fd = open("/proc/\(pid)/comm", O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return "?" }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(fd, &bytes, bytes.count)
        guard count > 0 else { return "?" }
        return String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
