import CDatapath
import CLibBPF
import Flows
import Glibc
import NetworkTypes

/// What Nilometer has left in the kernel, found with no state of our own to hand: pins by their names, filters by handle and program.
public enum Remains {
    /// What the pinned registry says of an interface.
    public struct Interface: Sendable, Equatable {
        public var id: InterfaceID
        public var name: String
        public var ifindex: UInt32
        public var namespaceCookie: UInt64
        public var mode: AttachMode
        /// The clsact qdisc was made by us.
        public var madeClsact: Bool
        /// It was being counted when the registry was last written.
        public var isAlive: Bool
    }

    /// The files and directories that were made for pins under a root, in the order in which they can be removed, and what else is there.
    public struct Pins: Sendable, Equatable {
        public var files: [String] = []
        public var directories: [String] = []
        /// Names that we never make.
        public var foreign: [String] = []
        /// Versions of the record layout that are pinned: `v1`.
        public var versions: [String] = []
        public var isEmpty: Bool { files.isEmpty && directories.isEmpty }
        public init() {}
    }

    /// The version directory that this program reads and writes.
    public static var version: String { PinDirectory.version }

    /// What lies under `root`: links first, so that nothing counts into maps that are gone. Empty when `root` is not in a bpffs.
    public static func pins(under root: String) -> Pins {
        var pins = Pins()
        guard PinDirectory.isBPFFS(root) else { return pins }
        for version in PinDirectory.entries(of: root).sorted() {
            guard version.first == "v", version.dropFirst().allSatisfy(\.isNumber), version.count > 1 else {
                pins.foreign.append("\(root)/\(version)")
                continue
            }
            pins.versions.append(version)
            let top = "\(root)/\(version)"
            for folder in PinDirectory.entries(of: top).sorted() {
                let path = "\(top)/\(folder)"
                guard folder == "links" || folder == "maps" else {
                    pins.foreign.append(path)
                    continue
                }
                for name in PinDirectory.entries(of: path).sorted() {
                    if folder == "links" ? isLinkName(name) : name.hasPrefix("nilo_") {
                        pins.files.append("\(path)/\(name)")
                    } else {
                        pins.foreign.append("\(path)/\(name)")
                    }
                }
                pins.directories.append(path)
            }
            pins.directories.append(top)
        }
        pins.directories.append(root)
        return pins
    }

    /// `3-ingress`: see ``PinDirectory``.
    private static func isLinkName(_ name: String) -> Bool {
        let parts = name.split(separator: "-", maxSplits: 1)
        return parts.count == 2 && UInt32(parts[0]) != nil && Direction.allCases.contains { "\($0)" == parts[1] }
    }

    /// What the registry that is pinned under `root` remembers; empty when none of our record version is there.
    public static func interfaces(under root: String) throws(BPFError) -> [Interface] {
        let path = "\(PinDirectory(root: root).maps)/nilo_registry"
        let map = bpf_obj_get(path)
        if map == -ENOENT { return [] }
        try check(map, "open pinned map \(path)")
        defer { close(map) }
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try check(bpf_obj_get_info_by_fd(map, &info, &size), "ask \(path) for its layout")
        guard Int(info.value_size) == MemoryLayout<nilo_interface>.size else {
            throw BPFError(
                "read \(path)", code: EPROTO, detail: "its records have \(info.value_size) bytes, ours \(MemoryLayout<nilo_interface>.size)"
            )
        }
        return try Registry.records(in: map).map { id, record in
            Interface(
                id: id, name: record.deviceName, ifindex: record.ifindex, namespaceCookie: record.netns_cookie,
                mode: record.attachment == NILO_ATTACH_TCX.rawValue ? .tcx : .clsact, madeClsact: record.clsact_created == 1,
                isAlive: record.isAlive)
        }.sorted { $0.id < $1.id }
    }

    // MARK: Filters

    /// The handle of every clsact filter that we make.
    public static var filterHandle: UInt32 { ClsactFilter.handle }

    /// Is this the number of a flow program? false also when the program is gone.
    public static func isFlowProgram(id: UInt32) throws(BPFError) -> Bool {
        do {
            return ClsactFilter.programNames.contains(try ClsactFilter.programName(id: id))
        } catch  where error.code == ENOENT { return false }
    }

    /// tc filter del dev DEV DIRECTION pref PRIORITY handle 0x4e49 bpf
    ///
    /// Only while it runs the program `id`; nothing happens when it is gone or has become another's.
    /// - Precondition: the calling thread is in the interface's namespace.
    public static func removeFilter(ifindex: UInt32, _ direction: Direction, priority: UInt32, program id: UInt32) throws(BPFError) {
        let program = bpf_prog_get_fd_by_id(id)
        if program == -ENOENT { return }
        try check(program, "open program \(id)")
        defer { close(program) }
        try ClsactFilter(ifindex: ifindex, direction: direction, priority: priority).detach(program: program)
    }

    /// The numbers of the flow programs that are loaded now, whoever holds them.
    public static func loadedPrograms() throws(BPFError) -> [UInt32] {
        var found: [UInt32] = []
        var id: UInt32 = 0
        while true {
            let result = bpf_prog_get_next_id(id, &id)
            if result == -ENOENT { return found }
            try check(result, "list the loaded programs")
            if try isFlowProgram(id: id) { found.append(id) }
        }
    }
}
