import Configuration
import Datapath
import Flows
import Logging
import Netlink
import NetworkTypes

/// Keeps the chosen interfaces attached as interfaces, namespaces and default routes come and go.
///
/// Netlink tells that something changed; a fresh dump tells what is. So a lost notification costs a dump, never a wrong view.
final class InterfaceFollower {
    private var configuration: AgentConfiguration
    private let datapath: Datapath
    private let log: Log
    private let finder: NamespaceFinder?
    private(set) var namespaces: [NamespaceID: FollowedNamespace] = [:]
    /// How often an attachment had to be made again.
    private(set) var repaired = 0
    private let home: NamespaceID
    private let onWatch: (FollowedNamespace) throws -> Void
    private let onUnwatch: (FollowedNamespace) -> Void
    private let onAttach: (InterfaceID, String) -> Void
    private let onClose: (InterfaceID, String) -> Void

    /// How many processes one step of the search for namespaces looks at; four steps a second find 8,000 processes' within one.
    private static let processesPerStep = 2000

    init(
        _ configuration: AgentConfiguration, _ datapath: Datapath, _ log: Log, onWatch: @escaping (FollowedNamespace) throws -> Void,
        onUnwatch: @escaping (FollowedNamespace) -> Void, onAttach: @escaping (InterfaceID, String) -> Void,
        onClose: @escaping (InterfaceID, String) -> Void
    ) throws {
        self.configuration = configuration
        self.datapath = datapath
        self.log = log
        self.onWatch = onWatch
        self.onUnwatch = onUnwatch
        self.onAttach = onAttach
        self.onClose = onClose
        finder = configuration.namespaces.contains { $0 != .host } ? try NamespaceFinder() : nil
        home = try NetworkNamespace.current().id
    }

    /// Attaches what is there now in the agent's own namespace, if that is followed.
    func start() throws {
        if configuration.namespaces.contains(.host) || configuration.namespaces.contains(.all) {
            try follow(try NetworkNamespace.current(), owner: nil)
        }
    }

    /// Readable when a namespace's name appeared or went.
    var finderDescriptor: Int32? { finder?.descriptor }
    /// Does the agent have to enter namespaces other than its own?
    var followsOthers: Bool { finder != nil }

    private func follow(_ namespace: NetworkNamespace, owner: String?) throws {
        synchronise(try watch(namespace, owner: owner))
    }

    private func watch(_ namespace: NetworkNamespace, owner: String?) throws -> FollowedNamespace {
        let followed = try FollowedNamespace(namespace, owner: owner)
        namespaces[namespace.id] = followed
        try onWatch(followed)
        return followed
    }

    // MARK: Namespaces

    /// One step of the search for namespaces. Call it when the descriptor is readable and four times a second.
    /// - Parameter atOnce: what many namespaces found at once need is made ready on several threads: while the agent starts.
    /// - Returns: whether a walk over all processes was completed.
    @discardableResult func search(atOnce: Bool = false) throws -> Bool {
        guard let finder else { return true }
        let changes = try finder.scan(processes: Self.processesPerStep)
        // First what has gone: the kernel reuses a namespace's number at once.
        for sighting in changes.vanished { forget(sighting) }
        var found: [FollowedNamespace] = []
        for sighting in changes.appeared + changes.updated where namespaces[sighting.id] == nil && wants(sighting) {
            do { found.append(try watch(sighting.open(), owner: sighting.owner.description)) } catch {
                log.warning("namespace not followed", ["namespace": LogValue(sighting.owner.description), "reason": LogValue("\(error)")])
            }
        }
        if atOnce { try datapath.prepare(namespaces: found.count { hasWanted($0) }) }
        for followed in found {
            synchronise(followed)
            log.info("namespace followed", ["namespace": LogValue(followed.owner ?? "")])
        }
        return changes.isPassComplete
    }

    /// Is there an interface to attach to? What cannot be read is told when it is to be followed.
    private func hasWanted(_ followed: FollowedNamespace) -> Bool {
        guard let links = try? followed.socket.links(), let defaults = try? followed.socket.defaultRouteInterfaces() else { return false }
        return links.contains { wants($0, Set(defaults)) }
    }

    private func forget(_ sighting: NamespaceSighting) {
        guard sighting.id != home, let followed = namespaces.removeValue(forKey: sighting.id) else { return }
        for (_, id) in followed.attached { vanish(id) }
        onUnwatch(followed)
        log.info("namespace gone", ["namespace": LogValue(sighting.owner.description)])
    }

    private func wants(_ sighting: NamespaceSighting) -> Bool {
        guard sighting.id != home else { return false }
        return configuration.namespaces.contains { selector in
            switch selector {
            case .host: false
            case .all: true
            case .named(let glob): sighting.name.map(glob.matches) ?? false
            }
        }
    }

    // MARK: Interfaces

    /// Other interfaces may be wanted now, in the namespaces that are followed.
    func choose(_ configuration: AgentConfiguration) {
        self.configuration = configuration
        for followed in namespaces.values {
            followed.refused = [:]
            synchronise(followed)
        }
    }

    /// Something changed in a namespace, or may have.
    func synchronise(_ followed: FollowedNamespace) {
        do {
            let links = try followed.socket.links()
            let defaults = Set(try followed.socket.defaultRouteInterfaces())
            let wanted = links.filter { wants($0, defaults) }
            let present = Set(links.map(\.index))
            for (index, id) in followed.attached {
                if !present.contains(index) {
                    followed.attached[index] = nil
                    vanish(id)
                } else if !wanted.contains(where: { $0.index == index }) {
                    followed.attached[index] = nil
                    detach(id, index, followed, "not chosen any more")
                }
            }
            for link in wanted {
                if let id = followed.attached[link.index] { try datapath.rename(id, to: link.name) }
            }
            followed.refused = followed.refused.filter { present.contains($0.key) }
            for link in wanted where followed.attached[link.index] == nil { attach(link, followed) }
        } catch {
            log.warning("interfaces not read", ["namespace": LogValue(followed.owner ?? "host"), "reason": LogValue("\(error)")])
        }
    }

    /// Finds attachments and pins that someone else took away, and makes them again.
    func repair() {
        do {
            if try datapath.restorePins() { log.warning("pins were removed; made again") }
        } catch {
            log.warning("pins not made again", ["reason": LogValue("\(error)")])
        }
        for followed in namespaces.values {
            for (_, id) in followed.attached {
                do {
                    try followed.namespace.inside {
                        guard try !datapath.isAttached(id) else { return }
                        try datapath.reattach(id)
                        repaired += 1
                        log.warning("programs were taken off an interface; attached again", ["id": LogValue(id.rawValue)])
                    }
                } catch {
                    log.warning("attachment not checked", ["id": LogValue(id.rawValue), "reason": LogValue("\(error)")])
                }
            }
        }
    }

    private func wants(_ link: LinkObservation, _ defaults: Set<Int32>) -> Bool {
        if configuration.exclude.contains(where: { $0.matches(link.name) }) { return false }
        // Our own device, through which copies pass: counted only for who asks for it by its name.
        if link.isMirrorPortEnd {
            return configuration.interfaces.contains { selector in
                if case .named(let glob) = selector { !glob.isPattern && glob.matches(link.name) } else { false }
            }
        }
        return configuration.interfaces.contains { selector in
            switch selector {
            case .defaultRoute: defaults.contains(link.index)
            case .all: true
            case .allButLoopback: !link.flags.contains(.loopback)
            case .named(let glob): glob.matches(link.name)
            }
        }
    }

    private func attach(_ link: LinkObservation, _ followed: FollowedNamespace) {
        let device = Device(
            ifindex: UInt32(link.index), name: link.name, namespaceCookie: followed.namespace.cookie, isLayer3: link.isLayer3)
        do {
            let id = try followed.namespace.inside {
                try datapath.attach(device) { try followed.counters(of: link.index) }
            }
            followed.attached[link.index] = id
            followed.refused[link.index] = nil
            onAttach(id, link.name)
            log.info(
                "interface attached",
                ["interface": LogValue(link.name), "namespace": LogValue(followed.owner ?? "host"), "id": LogValue(id.rawValue)])
        } catch {
            let reason = "\(error)"
            if followed.refused.updateValue(reason, forKey: link.index) != reason {
                log.error(
                    "interface not attached",
                    ["interface": LogValue(link.name), "namespace": LogValue(followed.owner ?? "host"), "reason": LogValue(reason)])
            }
        }
    }

    private func detach(_ id: InterfaceID, _ index: Int32, _ followed: FollowedNamespace, _ reason: String) {
        do {
            try followed.namespace.inside {
                try datapath.detach(id)
                // Made by us and empty: ours to take away.
                if datapath.madeClsact(id), try followed.socket.isClsactEmpty(on: index) { try followed.socket.removeClsact(from: index) }
            }
            onClose(id, reason)
            log.info("interface detached", ["id": LogValue(id.rawValue)])
        } catch {
            log.error("interface not detached", ["id": LogValue(id.rawValue), "reason": LogValue("\(error)")])
        }
    }

    private func vanish(_ id: InterfaceID) {
        do {
            try datapath.vanished(id)
            onClose(id, "the interface is gone")
            log.info("interface gone", ["id": LogValue(id.rawValue)])
        } catch {
            log.error("books not closed", ["id": LogValue(id.rawValue), "reason": LogValue("\(error)")])
        }
    }

    /// After the first synchronisation: what an earlier agent counted and is not there any more is closed.
    func sweep() throws { try datapath.sweep() }

    /// Detaches everything, everywhere.
    func detachAll() {
        for followed in namespaces.values {
            for (index, id) in followed.attached { detach(id, index, followed, "the agent ends") }
            followed.attached = [:]
        }
    }

    /// Where an interface lives.
    func place(of id: InterfaceID) -> (namespace: FollowedNamespace, index: Int32)? {
        for followed in namespaces.values {
            if let index = followed.attached.first(where: { $0.value == id })?.key { return (followed, index) }
        }
        return nil
    }
}
