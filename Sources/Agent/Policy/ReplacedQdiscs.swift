import FoundationEssentials
import Glibc
import Policy

/// The root qdiscs of others that ours stand in the place of, kept on disk so that they can be put back, also by `nilo cleanup` after a
/// crash. Written before the qdisc goes, removed after it is back.
final class ReplacedQdiscs {
    static let path = "/var/lib/nilo/replaced-qdiscs.json"

    struct Entry: Codable, Hashable {
        /// The kernel's name for the time since it started. Cookies, interface numbers and qdiscs mean nothing to the next one.
        var boot: String
        var namespaceCookie: UInt64
        var ifindex: Int32
        var interface: String
        var kind: String
        var handle: UInt32
        var options: [UInt8]
        /// The interface's MAC address; nil in a file of an earlier version.
        var address: [UInt8]?

        var recipe: QdiscRecipe { QdiscRecipe(kind: kind, handle: handle, options: options) }

        /// Is the interface that has the number now the one that the qdisc was on?
        func means(name: String, address: [UInt8]) -> Bool {
            interface == name && (self.address ?? []).isEmpty || interface == name && self.address == address
        }
    }

    /// Of this start of the machine.
    private(set) var entries: [Entry] = []
    /// Why the file cannot be read; it then stays as it is, and nothing more is replaced. nil: it was read.
    private(set) var problem: AgentFailure?
    private let path: String

    private static let boot = SystemFiles.read("/proc/sys/kernel/random/boot_id")?.split { $0.isWhitespace }.first.map(String.init) ?? ""

    init(path: String = ReplacedQdiscs.path) throws {
        self.path = path
        read()
        if let problem { throw problem }
    }

    /// For an agent, which measures and shapes without the file too: a file that cannot be read is a ``problem``.
    init(readingIfPossible path: String) {
        self.path = path
        read()
    }

    /// Reads again what could not be read; somebody may have mended it.
    func retry() { if problem != nil { read() } }

    private func read() {
        problem = nil
        guard access(path, F_OK) == 0 else { return }
        do {
            entries = try JSONDecoder().decode([Entry].self, from: Data(contentsOf: URL(filePath: path))).filter { $0.boot == Self.boot }
        } catch {
            let why = error is DecodingError ? "it is no list of replaced qdiscs" : "\(error)"
            problem = AgentFailure(
                "read \(path)", why, hint: "it tells which qdiscs of others were replaced: move it away to go on without")
        }
    }

    func recipe(of interface: CountedInterface) -> QdiscRecipe? { entries.first { Self.matches($0, interface) }?.recipe }

    func remember(_ recipe: QdiscRecipe, of interface: CountedInterface) throws {
        let before = entries
        entries.removeAll { Self.matches($0, interface) }
        entries.append(
            Entry(
                boot: Self.boot, namespaceCookie: interface.namespaceCookie, ifindex: interface.ifindex, interface: interface.name,
                kind: recipe.kind, handle: recipe.handle, options: recipe.options, address: interface.address))
        do { try store() } catch {
            // What is not written down was not replaced either.
            entries = before
            throw error
        }
    }

    func forget(_ interface: CountedInterface) throws {
        entries.removeAll { Self.matches($0, interface) }
        try store()
    }

    func forget(_ entry: Entry) throws {
        entries.removeAll { $0 == entry }
        try store()
    }

    /// Takes away the file and what was left of writing it.
    func removeFile() throws {
        entries = []
        try store()
        let beside = path + ".new"
        guard unlink(beside) == 0 || errno == ENOENT else { throw failure("remove what was left of writing") }
    }

    /// Is there anything to take away?
    var hasFile: Bool { access(path, F_OK) == 0 || access(path + ".new", F_OK) == 0 }

    private static func matches(_ entry: Entry, _ interface: CountedInterface) -> Bool {
        entry.namespaceCookie == interface.namespaceCookie && entry.ifindex == interface.ifindex
            && entry.means(name: interface.name, address: interface.address)
    }

    private func store() throws {
        // What it may tell is not to be lost.
        if let problem { throw problem }
        if entries.isEmpty {
            guard unlink(path) == 0 || errno == ENOENT else { throw failure("remove") }
            return
        }
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw failure("make the folder of") }
        let bytes = Array(try JSONEncoder().encode(entries))
        do throws(SystemFiles.Unwritten) {
            try SystemFiles.replace(path, with: bytes, mode: 0o600, isSynchronised: true)
        } catch { throw failure("write", error.code) }
    }

    private func failure(_ what: String, _ code: Int32 = errno) -> AgentFailure {
        AgentFailure("\(what) \(path)", String(cString: strerror(code)), hint: "without it a replaced qdisc could not be put back")
    }
}
