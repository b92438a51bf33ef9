import Flows
import Glibc
import Logging
import Netlink
import NetworkTypes
import PathComputation
import Topology

/// Keeps the topology of the followed namespaces: listens to the kernel, takes what flows did, and makes a snapshot of it.
///
/// All of it runs on the topology's thread. What the kernel announces is in a snapshot within ``spacing``.
final class TopologyKeeper {
    private let loop: EventLoop
    private let log: Log
    private var builder: TopologyBuilder
    private var watched: [UInt64: WatchedNamespace] = [:]
    private var counted: [InterfaceID: CountedPlace] = [:]
    private var commitTimer: LoopTimer!
    private var isCommitDue = false
    /// Without all that is there at the start a snapshot would tell, and history keep, that it has gone.
    private var hasBegun = false
    private var committedAt = ContinuousClock.now
    private var budget = ReadingBudget(at: .now)
    /// Fires when there is time again for readings that were put off.
    private var readingTimer: LoopTimer!
    /// Told once each, until it went well again.
    private var complaints: [Complaint: String] = [:]
    /// Called with each snapshot, and with what moved in the second that ended with it.
    var onCommit: (Snapshot, MeasuredSecond?) -> Void = { _, _ in }

    private struct Complaint: Hashable {
        var cookie: UInt64
        /// nil: what the kernel announces.
        var source: WatchedNamespace.Source?
    }

    /// A counted interface and where it is.
    struct CountedPlace: Hashable, Sendable {
        var index: Int32
        var cookie: UInt64
    }

    /// What happened in a second, as the datapath saw it.
    struct Second: Sendable {
        /// How long it was.
        var length: Duration
        var flows: [FlowDelta]
        var places: [InterfaceID: CountedPlace]
        /// Of each interface, forward what it received.
        var interfaces: [InterfaceID: Load]
        /// What else was found: applications, names.
        var findings: [Observation] = []
        var host = HostReading()
    }

    /// For so long changes are gathered before they make a snapshot: one command of an administrator is several of the kernel's messages.
    static let settling = Duration.milliseconds(5)
    /// So far apart are snapshots of what the kernel announces, however much that is.
    static let spacing = Duration.milliseconds(20)

    /// - Parameter epoch: that the history ends with.
    init(_ loop: EventLoop, _ log: Log, _ limits: TopologyLimits, after epoch: UInt64) throws {
        self.loop = loop
        self.log = log
        builder = TopologyBuilder(limits: limits, after: epoch)
        builder.observe(.host(name: SystemFiles.hostName, HostState(kernel: SystemFiles.kernelRelease)))
        commitTimer = try loop.timer { [unowned self] in commit() }
        readingTimer = try loop.timer { [unowned self] in commit() }
    }

    // MARK: Namespaces

    func declare(_ declarations: Declarations) {
        builder.observe(.configured(declarations))
        commitSoon()
    }

    /// All namespaces that are there at the start are followed: from now on there are snapshots.
    func begin() {
        hasBegun = true
        commitSoon()
    }

    func follow(_ namespace: NetworkNamespace, name: String, owner: String) {
        builder.observe(.namespace(NamespaceFact(cookie: namespace.cookie, name: name, owner: owner)))
        do {
            let one = try WatchedNamespace(namespace)
            try loop.watch(one.monitor.descriptor) { [unowned self] in read(one) }
            watch(one, .settings, one.settingsMonitor.descriptor) { try one.settingsMonitor.drain() }
            if let monitor = one.securityMonitor { watch(one, .security, monitor.descriptor) { try monitor.drain() } }
            watched[namespace.cookie] = one
            // Others may have peers in this one.
            for other in watched.values where other.looksAbroad { other.expire(.facts) }
        } catch { complain(namespace.cookie, nil, "namespace not watched", "\(error)") }
        commitSoon()
    }

    func forget(_ cookie: UInt64) {
        if let one = watched.removeValue(forKey: cookie) {
            for descriptor in one.descriptors { loop.unwatch(descriptor) }
        }
        complaints = complaints.filter { $0.key.cookie != cookie }
        builder.observe(.namespaceGone(cookie: cookie))
        commitSoon()
    }

    private func read(_ one: WatchedNamespace) {
        do { builder.observe(try one.changes()) } catch {
            one.expire(.facts)
            complain(one.cookie, nil, "namespace not read", "\(error)")
        }
        commitSoon()
    }

    /// - Parameter drain: reads what is announced, and returns whether the source has to be read anew.
    private func watch(_ one: WatchedNamespace, _ source: WatchedNamespace.Source, _ descriptor: Int32, drain: @escaping () throws -> Bool)
    {
        do {
            try loop.watch(descriptor) { [unowned self] in
                do { if try !drain() { return } } catch { complain(one.cookie, nil, "\(source) not watched", "\(error)") }
                one.expire(source)
                commitSoon()
            }
        } catch { complain(one.cookie, nil, "\(source) not watched", "\(error)") }
    }

    /// Reads anew what events did not tell, within the budget: what is put off is read later. What waited longest comes first.
    private func resynchronise() {
        let all = watched.values.map(\.namespace)
        let now = ContinuousClock.now
        // The first reading is never put off: without it there is nothing to show.
        let first = watched.values.filter { !$0.isRead }.map { (namespace: $0, source: WatchedNamespace.Source.facts) }
        let others = watched.values.flatMap { one in
            one.due.filter { $0.value <= now && (one.isRead || $0.key != .facts) }.map { (since: $0.value, namespace: one, source: $0.key) }
        }
        for (one, source) in first + others.sorted(by: { $0.since < $1.since }).map({ ($0.namespace, $0.source) }) {
            let start = ContinuousClock.now
            if one.isRead {
                let wait = budget.wait(at: start)
                guard wait == .zero else { return readingTimer.fire(after: wait) }
            }
            do {
                builder.observe(try one.read(source, among: all))
                complaints[Complaint(cookie: one.cookie, source: source)] = nil
                // The whole makes good what was missed of the announcements.
                if source == .facts { complaints[Complaint(cookie: one.cookie, source: nil)] = nil }
            } catch {
                // A later second tries again.
                complain(one.cookie, source, "\(source) of a namespace not read", "\(error)")
            }
            let end = ContinuousClock.now
            budget.spend(end - start, at: end)
        }
    }

    private func complain(_ cookie: UInt64, _ source: WatchedNamespace.Source?, _ what: String, _ reason: String) {
        guard complaints.updateValue(reason, forKey: Complaint(cookie: cookie, source: source)) != reason else { return }
        log.warning(
            "topology: \(what)", ["namespace": LogValue(watched[cookie]?.namespace.label ?? "\(cookie)"), "reason": LogValue(reason)])
    }

    /// What was read of the namespaces' sysctls, by the names that “what if” has for them: with the host's before it where another host has
    /// one of the same name.
    var settings: [String: NamespaceSettings] {
        var found: [String: NamespaceSettings] = [:]
        for one in watched.values {
            guard let settings = one.settings, let key = builder.namespace(one.cookie) else { continue }
            found[key.name] = settings
            found["\(key.host)/\(key.name)"] = settings
        }
        return found
    }

    // MARK: Snapshots

    private func commitSoon() {
        guard hasBegun, !isCommitDue else { return }
        isCommitDue = true
        commitTimer.fire(after: max(Self.settling, Self.spacing - (ContinuousClock.now - committedAt)))
    }

    private func commit() {
        isCommitDue = false
        defer { committedAt = .now }
        resynchronise()
        onCommit(builder.commit(at: .now), nil)
    }

    /// A second has passed.
    func turn(_ second: Second) {
        for (id, place) in counted where second.places[id] != place { builder.observe(.uncounted(id)) }
        for (id, place) in second.places where counted[id] != place {
            builder.observe(.counted(id, interface: place.index, in: place.cookie))
        }
        counted = second.places
        builder.observe(.traffic(second.flows))
        builder.observe(second.findings)
        isCommitDue = false
        resynchronise()
        let snapshot = builder.commit(at: .now)
        var interfaces: [NodeKey: Load] = [:]
        for (id, load) in second.interfaces {
            guard let place = second.places[id], let key = builder.interface(place.index, in: place.cookie) else { continue }
            interfaces[key, default: Load()] += load
        }
        let loads = TrafficLoads(snapshot, interfaces: interfaces, length: second.length)
        onCommit(snapshot, MeasuredSecond(loads: loads, host: second.host))
    }
}
