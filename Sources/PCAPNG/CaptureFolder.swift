import Glibc

/// The files `PATH.0`, `PATH.1`, … that are there.
struct CaptureFolder {
    private let path: String
    /// Numbers from here on are none of ours: no folder comes so far, and anyone may have made a file of such a name.
    static let end = 1 << 62

    init(_ path: String) { self.path = path }

    /// In no order; whatever has such a name counts.
    var numbers: [Int] {
        let slash = path.lastIndex(of: "/")
        let prefix = (slash.map { String(path[path.index(after: $0)...]) } ?? path) + "."
        guard let directory = opendir(slash.map { String(path[...$0]) } ?? ".") else { return [] }
        defer { closedir(directory) }
        var numbers: [Int] = []
        while let entry = readdir(directory) {
            let start = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
            let name = String(cString: start.assumingMemoryBound(to: CChar.self))
            guard name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)), name == "\(prefix)\(number)",
                (0..<Self.end).contains(number)
            else { continue }
            numbers.append(number)
        }
        return numbers
    }

    /// Only plain files go: anything else of such a name is none of ours.
    func remove(upTo last: Int) throws(CaptureError) {
        for number in numbers where number <= last {
            var status = stat()
            guard lstat("\(path).\(number)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            if unlink("\(path).\(number)") != 0, errno != ENOENT {
                throw CaptureError(operation: "remove \(path).\(number)", code: errno)
            }
        }
    }
}
