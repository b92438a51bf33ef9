import Configuration
import Datapath
import Flows
import Glibc
import Netlink
import Policy
import Reports

/// What is there of Nilometer, as the steps that take it away, in their order: filters, pins, qdiscs and mirror ports, directories, the
/// mount, sockets.
struct CleanupPlan {
    struct Step {
        var report: CleanupReport.Step
        var run: () throws -> Void
    }

    private(set) var steps: [Step] = []
    private(set) var left: [String] = []
    /// What could not be looked at.
    private(set) var unreadable: [CleanupReport.Failure] = []
    /// nil: it could not be read, and stays.
    private var replaced: ReplacedQdiscs?
    /// Qdiscs of others that will be put back.
    private var returning: Set<ReplacedQdiscs.Entry> = []
    /// Those whose place somebody has taken meanwhile, or that have not left it yet.
    private var obsolete: Set<ReplacedQdiscs.Entry> = []
    private var removesReplaced = false
    private let scope: Cleanup.Scope
    /// The mount that will be gone before directories are removed.
    private var unmounted: String?

    init(_ scope: Cleanup.Scope) throws {
        self.scope = scope
        guard geteuid() == 0 else {
            throw AgentFailure("clean up", "it needs to be root", hint: "sudo nilo cleanup", kind: .permission)
        }
        for path in scope.sockets where try Cleanup.isAnswered(path) {
            throw AgentFailure("clean up", "an agent is running: \(path) is answered", hint: "nilo stop", kind: .alreadyRunning)
        }
        // An agent may listen elsewhere; its pins tell all the same.
        for root in scope.roots where access(root, F_OK) == 0 {
            do { _ = try PinLock(root: root) } catch {
                guard error.code == EBUSY else { continue }
                throw AgentFailure(
                    "clean up", "an agent is running: it holds \(root)", hint: "nilo stop --socket PATH", kind: .alreadyRunning)
            }
        }
        // The registry is read before its pin goes; the namespaces are looked at before the steps are put in order.
        let registered = readRegistries()
        readReplaced()
        var qdiscs: [Step] = []
        for namespace in try namespaces() { look(into: namespace, registered, &qdiscs) }
        addReplacedFile(&qdiscs)
        let pins = scope.roots.map(Remains.pins(under:))
        for path in pins.flatMap(\.files) { add(unlinking: path, "pin") }
        steps += qdiscs
        for (root, found) in zip(scope.roots, pins) { addDirectories(root, found) }
        addMount(pins)
        for path in scope.sockets where isSocket(path) { add(unlinking: path, "stale socket") }
        for path in scope.directories where isDirectory(path) { addRunDirectory(path) }
        noteFiles()
    }

    private mutating func readRegistries() -> [Remains.Interface] {
        var found: [Remains.Interface] = []
        for root in scope.roots {
            do { found += try Remains.interfaces(under: root) } catch {
                unreadable.append(
                    .init(
                        .init("registry under \(root)", command: "bpftool map dump pinned \(root)/\(Remains.version)/maps/nilo_registry"),
                        why: "\(error)"))
            }
        }
        return found
    }

    // MARK: Namespaces

    private mutating func namespaces() throws -> [(NetworkNamespace, label: String?)] {
        let home = try NetworkNamespace.current()
        var found: [(NetworkNamespace, label: String?)] = [(home, nil)]
        guard scope.searchesNamespaces else { return found }
        // One step that takes in all processes.
        let changes = try NamespaceFinder().scan(processes: .max)
        for sighting in changes.appeared where sighting.id != home.id {
            do { found.append((try sighting.open(), sighting.owner.description)) } catch  where error.code == ESTALE || error.code == ENOENT
            {
                continue  // It ended meanwhile, and all in it.
            } catch {
                unreadable.append(.init(.init("namespace \(sighting.owner)", command: "lsns --type net"), why: "\(error)"))
            }
        }
        if changes.unreadableProcesses > 0 {
            left.append(Cleanup.unseen(processes: changes.unreadableProcesses))
        }
        return found
    }

    private mutating func look(
        into place: (namespace: NetworkNamespace, label: String?), _ registered: [Remains.Interface], _ qdiscs: inout [Step]
    ) {
        let namespace = place.namespace
        do {
            let socket = try NetlinkSocket(in: namespace)
            // What is on the ends of a mirror port goes with them.
            let all = try socket.links()
            let ends = Set(all.mirrorPortEnds.map(\.index))
            let links = all.filter { !ends.contains($0.index) }
            try addMirrorPort(namespace, place.label, socket, &qdiscs)
            try addSpreadRoutes(namespace, place.label, socket, &qdiscs)
            let clsact = Set(try socket.qdiscs().filter(\.isClsact).map(\.interface))
            for link in links { try addRootQdisc(of: link, namespace, place.label, socket, &qdiscs) }
            for link in links where clsact.contains(link.index) {
                var isEmptyAfter = true
                for hook in ClsactHook.allCases {
                    for filter in try socket.filters(of: link.index, at: hook) {
                        guard let program = try ownProgram(of: filter) else {
                            isEmptyAfter = false
                            continue
                        }
                        add(filter, program, of: link, at: hook, namespace, place.label)
                    }
                }
                let record = registered.first {
                    $0.isAlive && $0.namespaceCookie == namespace.cookie && $0.ifindex == UInt32(link.index) && $0.madeClsact
                }
                guard record != nil, isEmptyAfter else { continue }
                qdiscs.append(removal(ofClsactOn: link, namespace, place.label, socket))
            }
        } catch {
            unreadable.append(
                .init(.init("interfaces of \(place.label ?? "the own namespace")", command: "tc qdisc show"), why: "\(error)"))
        }
    }

    /// The number of the flow program that a filter of ours runs; nil when the filter is someone else's.
    private func ownProgram(of filter: FilterObservation) throws(BPFError) -> UInt32? {
        guard filter.kind == "bpf", filter.handle == Remains.filterHandle, filter.chain == 0, let id = filter.program?.id else {
            return nil
        }
        return try Remains.isFlowProgram(id: id) ? id : nil
    }

    private mutating func add(
        _ filter: FilterObservation, _ program: UInt32, of link: LinkObservation, at hook: ClsactHook, _ namespace: NetworkNamespace,
        _ label: String?
    ) {
        let direction: Direction = hook == .ingress ? .ingress : .egress
        let handle = "0x" + String(Remains.filterHandle, radix: 16)
        let report = CleanupReport.Step(
            "\(direction) filter of \(link.name)", namespace: label,
            command: "tc filter del dev \(link.name) \(direction) pref \(filter.priority) handle \(handle) bpf")
        steps.append(
            Step(report: report) {
                try namespace.inside {
                    try Remains.removeFilter(ifindex: UInt32(link.index), direction, priority: UInt32(filter.priority), program: program)
                }
            })
    }

    private func removal(
        ofClsactOn link: LinkObservation, _ namespace: NetworkNamespace, _ label: String?, _ socket: NetlinkSocket
    ) -> Step {
        let report = CleanupReport.Step("clsact qdisc of \(link.name)", namespace: label, command: "tc qdisc del dev \(link.name) clsact")
        return Step(report: report) {
            guard try socket.isClsactEmpty(on: link.index) else {
                throw AgentFailure("remove the clsact qdisc of \(link.name)", "someone's filter is on it")
            }
            try socket.removeClsact(from: link.index)
        }
    }

    // MARK: What policies made

    private mutating func readReplaced() {
        do { replaced = try ReplacedQdiscs(path: scope.replacedQdiscs) } catch {
            unreadable.append(
                .init(.init("qdiscs of others that were replaced", command: "cat \(scope.replacedQdiscs)"), why: Cleanup.oneLine(error)))
        }
    }

    private mutating func addMirrorPort(
        _ namespace: NetworkNamespace, _ label: String?, _ socket: NetlinkSocket, _ steps: inout [Step]
    ) throws {
        guard let end = try socket.links().mirrorPortEnds.map(\.name).min() else { return }
        // An agent whose pins lie where nobody has told us to look.
        if let occupant = try NamespaceLock.occupant(in: namespace) {
            left.append("the mirror port of \(label ?? "the own namespace") stays: an agent is running: \(occupant)")
            return
        }
        steps.append(
            Step(report: .init("mirror port", namespace: label, command: "ip link del \(end)")) { try socket.removeMirrorPort() })
    }

    private mutating func addSpreadRoutes(
        _ namespace: NetworkNamespace, _ label: String?, _ socket: NetlinkSocket, _ steps: inout [Step]
    ) throws {
        let remains = try socket.spreadRemains()
        guard !remains.isEmpty else { return }
        if let occupant = try NamespaceLock.occupant(in: namespace) {
            left.append("the \(remains.joined(separator: ", ")) of \(label ?? "the own namespace") stays: an agent is running: \(occupant)")
            return
        }
        let report = CleanupReport.Step(
            remains.joined(separator: ", "), namespace: label, command: try socket.spreadRemovals().joined(separator: "; "))
        steps.append(Step(report: report) { try socket.removeSpreadRoutes() })
    }

    private mutating func addRootQdisc(
        of link: LinkObservation, _ namespace: NetworkNamespace, _ label: String?, _ socket: NetlinkSocket, _ steps: inout [Step]
    ) throws {
        let entry = replaced?.entries.first {
            $0.namespaceCookie == namespace.cookie && $0.ifindex == link.index && $0.means(name: link.name, address: link.address)
        }
        func step(_ what: String, _ change: QdiscChange, restores: Bool = false, then after: @escaping () throws -> Void = {}) -> Step {
            Step(report: .init(what, namespace: label, command: change.command(on: link.name), restores: restores)) {
                try socket.apply([change], to: link.index)
                try after()
            }
        }
        switch try socket.rootQdisc(of: link.index) {
        case .ours(let tree): steps.append(step("htb qdisc of \(link.name)", .removeRoot(tree)))
        case .kernelDefault: break
        case .foreign(let kind, _, _):
            guard let entry else { return }
            obsolete.insert(entry)
            // Before it was replaced, or by somebody since.
            if kind != entry.kind {
                left.append("the \(entry.kind) qdisc that \(link.name) had is not put back: a \(kind) qdisc has taken its place")
            }
            return
        }
        guard let entry, let replaced else { return }
        returning.insert(entry)
        steps.append(
            step(
                "\(entry.kind) qdisc of others on \(link.name)", .restoreForeign(entry.recipe), restores: true,
                then: { try replaced.forget(entry) }))
    }

    /// The file goes when all that it names is back, or gone with its interface.
    private mutating func addReplacedFile(_ steps: inout [Step]) {
        guard let replaced, replaced.hasFile else { return }
        let missing = replaced.entries.filter { !returning.contains($0) && !obsolete.contains($0) }
        if !missing.isEmpty, !scope.searchesNamespaces || !unreadable.isEmpty {
            left.append(
                "\(scope.replacedQdiscs) stays: where \(missing.map(\.interface).joined(separator: ", ")) may be could not be looked at")
            return
        }
        removesReplaced = true
        let (back, path) = (returning, scope.replacedQdiscs)
        steps.append(
            Step(report: .init("list of replaced qdiscs", command: "rm -f \(path)")) {
                // A qdisc that came back is not in the list any more.
                let lost = replaced.entries.filter { back.contains($0) }
                guard lost.isEmpty else {
                    throw AgentFailure(
                        "remove \(path)", "not all that it names is back: \(lost.map(\.interface).joined(separator: ", "))")
                }
                try replaced.removeFile()
            })
    }

    /// What a person wrote is not ours to take away.
    private mutating func noteFiles() {
        guard let policy = scope.policy, let files = try? PolicyDirectory(path: policy).read(), !files.isEmpty else { return }
        left.append(
            "\(policy) stays with its \(files.count == 1 ? "file" : "\(files.count) files"): the next agent puts the policy in force")
    }

    // MARK: Files

    private mutating func add(unlinking path: String, _ what: String) {
        steps.append(
            Step(report: .init("\(what) \(path)", command: "rm \(path)")) {
                if unlink(path) != 0 && errno != ENOENT { throw AgentFailure("remove \(path)", String(cString: strerror(errno))) }
            })
    }

    private mutating func add(removing directory: String) {
        steps.append(
            Step(report: .init("directory \(directory)", command: "rmdir \(directory)")) {
                if rmdir(directory) != 0 && errno != ENOENT { throw AgentFailure("remove \(directory)", String(cString: strerror(errno))) }
            })
    }

    /// Directories without what is not ours: with it they stay.
    private mutating func addDirectories(_ root: String, _ pins: Remains.Pins) {
        for path in pins.foreign { left.append("\(path) is nothing that nilo makes") }
        for directory in pins.directories where !pins.foreign.contains(where: { $0.hasPrefix(directory + "/") }) {
            add(removing: directory)
        }
    }

    /// What the kernel itself puts into every bpffs (CONFIG_BPF_PRELOAD).
    private static let kernelsOwn: Set<String> = ["maps.debug", "progs.debug"]

    private mutating func addMount(_ pins: [Remains.Pins]) {
        let mount = scope.ownMount
        guard isMountPoint(mount), PinDirectory.isBPFFS(mount) else { return }
        let others = PinDirectory.entries(of: mount).filter { !scope.roots.contains("\(mount)/\($0)") && !Self.kernelsOwn.contains($0) }
        let stays = others + zip(scope.roots, pins).filter { $0.0.hasPrefix(mount + "/") }.flatMap(\.1.foreign)
        guard stays.isEmpty else {
            left.append("the bpffs at \(mount) stays: \(stays.sorted().joined(separator: ", ")) is in it")
            return
        }
        unmounted = mount
        steps.append(
            Step(report: .init("our bpffs at \(mount)", command: "umount \(mount)")) {
                if umount2(mount, 0) != 0 { throw AgentFailure("unmount \(mount)", String(cString: strerror(errno))) }
            })
    }

    private mutating func addRunDirectory(_ path: String) {
        // A mount that stays has been told of.
        if isMountPoint(path) && path != unmounted { return }
        var ours = Set(scope.sockets + scope.directories.filter { !isMountPoint($0) || $0 == unmounted })
        if removesReplaced { ours.formUnion([scope.replacedQdiscs, scope.replacedQdiscs + ".new"]) }
        // What is below a mount that goes, goes with it.
        let others = path == unmounted ? [] : PinDirectory.entries(of: path).map { "\(path)/\($0)" }.filter { !ours.contains($0) }
        if others.isEmpty { add(removing: path) } else { left.append("\(path) stays: \(others.sorted().joined(separator: ", ")) is in it") }
    }

    private func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    private func isSocket(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFSOCK } ?? false }
    private func isDirectory(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }
    private func isMountPoint(_ path: String) -> Bool {
        guard let own = status(path), let above = status(path + "/..") else { return false }
        return own.st_dev != above.st_dev
    }
}
