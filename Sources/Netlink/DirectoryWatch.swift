import CLinux
import Glibc

/// An inotify(7) watch on a directory that need not exist yet: until it does, its parent is watched for it.
final class DirectoryWatch {
    /// Readable when there is something to ``drain()``.
    let descriptor: Int32
    private let directory: String
    private let parent: String
    private var directoryWatch: Int32?
    private var parentWatch: Int32?

    private static let entries = UInt32(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
    private static let itself = UInt32(IN_DELETE_SELF | IN_MOVE_SELF)

    /// - Parameter directory: an absolute path without a slash at its end.
    init(_ directory: String) throws(NetlinkError) {
        self.directory = directory
        let slash = directory.lastIndex(of: "/") ?? directory.startIndex
        parent = slash == directory.startIndex ? "/" : String(directory[..<slash])
        descriptor = inotify_init1(Int32(truncatingIfNeeded: IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw NetlinkError("watch \(directory)", code: errno) }
        try arm()
    }

    deinit { close(descriptor) }

    /// Reads what is waiting; true when the directory may have changed.
    func drain() throws(NetlinkError) -> Bool {
        var isChanged = false
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { break }
            guard count > 0 else { throw NetlinkError("read the changes of \(directory)", code: errno) }
            buffer.withUnsafeBytes { isChanged = note(UnsafeRawBufferPointer(rebasing: $0[..<count])) || isChanged }
        }
        if directoryWatch == nil {
            try arm()
            if directoryWatch != nil { isChanged = true }
        }
        return isChanged
    }

    private func note(_ events: UnsafeRawBufferPointer) -> Bool {
        var isChanged = false
        var offset = 0
        // struct inotify_event: wd, mask, cookie, len, then len bytes of name.
        while let length: UInt32 = events.value(at: offset + 12), let watch: Int32 = events.value(at: offset),
            let mask: UInt32 = events.value(at: offset + 4)
        {
            offset += 16 + Int(length)
            if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                isChanged = true
            } else if watch == directoryWatch {
                isChanged = true
                if mask & (Self.itself | UInt32(IN_IGNORED)) != 0 { directoryWatch = nil }
            } else if watch == parentWatch, mask & UInt32(IN_IGNORED) != 0 {
                parentWatch = nil
            }
        }
        return isChanged
    }

    private func arm() throws(NetlinkError) {
        // Tried again after the parent is watched: it may have come in between.
        for _ in 0..<2 {
            if let watch = try add(directory, Self.entries | Self.itself) {
                directoryWatch = watch
                if let parentWatch { inotify_rm_watch(descriptor, parentWatch) }
                parentWatch = nil
                return
            }
            if parentWatch == nil { parentWatch = try add(parent, UInt32(IN_CREATE | IN_MOVED_TO)) }
        }
    }

    /// nil when there is no such directory.
    private func add(_ path: String, _ events: UInt32) throws(NetlinkError) -> Int32? {
        let watch = inotify_add_watch(descriptor, path, events | UInt32(IN_ONLYDIR))
        if watch >= 0 { return watch }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw NetlinkError("watch \(path)", code: errno, detail: errno == ENOSPC ? "fs.inotify.max_user_watches is reached" : "")
    }
}
