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
        // Of several holders the oldest is named: one that is about to execute another program holds its parent's sockets for a moment.
        var ages: [UInt32: UInt64] = [:]
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
            let start = startTime(of: pid)
            // Those it let go of meanwhile were its parent's.
            var again = 0
            for inode in held.intersection(sockets(of: pid, among: held, &again) ?? []) {
                guard let (first, others) = found[inode], let age = ages[inode] else {
                    (found[inode], ages[inode]) = ((process, 0), start)
                    continue
                }
                found[inode] = (start < age ? process : first, others + 1)
                ages[inode] = min(start, age)
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
        text(of: "/proc/\(pid)/comm").map { String($0.prefix { $0 != "\n" }) } ?? "?"
    }

    /// Clock ticks after the machine's start; the 22nd field of stat, counted behind the name, which may hold anything.
    private func startTime(of pid: Int32) -> UInt64 {
        guard let text = text(of: "/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return .max }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) ?? .max : .max
    }

    private func text(of path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = read(fd, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
