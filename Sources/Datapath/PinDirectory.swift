import CDatapath
import CLibBPF
import CLinux
import Flows
import Glibc
import NetworkTypes

/// Where maps and links are pinned: `ROOT/v2/maps/NAME` and `ROOT/v2/links/ID-DIRECTION`. The version is that of the shared records.
public struct PinDirectory: Sendable {
    /// Nilometer's own directory in a bpffs.
    public let root: String

    public init(root: String) { self.root = root }

    package static var version: String { "v\(NILO_ABI_VERSION)" }
    var maps: String { "\(root)/\(Self.version)/maps" }
    var links: String { "\(root)/\(Self.version)/links" }
    func link(_ id: InterfaceID, _ direction: Direction) -> String { "\(links)/\(id.rawValue)-\(direction)" }

    /// Makes the directories. Maps of another version are someone's counters: refused, not touched.
    func prepare() throws(BPFError) {
        let others = Self.entries(of: root).filter { $0 != Self.version && $0.hasPrefix("v") }
        if let other = others.first {
            throw BPFError(
                "open \(root)", code: EPROTO,
                detail: "it holds counters of record version \(other), this program reads \(Self.version)")
        }
        try makeDirectories()
    }

    func makeDirectories() throws(BPFError) {
        for directory in [root, "\(root)/\(Self.version)", maps, links] where mkdir(directory, 0o700) != 0 && errno != EEXIST {
            throw BPFError("make \(directory)", code: errno)
        }
    }

    var hasMaps: Bool { access("\(maps)/nilo_meta", F_OK) == 0 }

    public static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes every pin below the root, of any version, and the root. Pinned links are detached by it.
    func remove() throws(BPFError) {
        func remove(_ path: String) throws(BPFError) {
            if unlink(path) == 0 { return }
            for name in Self.entries(of: path) { try remove("\(path)/\(name)") }
            if rmdir(path) != 0 && errno != ENOENT { throw BPFError("remove \(path)", code: errno) }
        }
        if access(root, F_OK) == 0 { try remove(root) }
    }

    /// Is the directory in a bpffs?
    public static func isBPFFS(_ path: String) -> Bool {
        var fs = statfs()
        return statfs(path, &fs) == 0 && fs.f_type == 0xCAFE_4A11
    }
}
