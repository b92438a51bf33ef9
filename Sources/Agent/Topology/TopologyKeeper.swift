import Flows
import Glibc
import Logging
import Netlink
import NetworkTypes
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
    private var committedAt = ContinuousClock.now
    private var budget = ReadingBudget(at: .now)
    /// Fires when there is time again for readings that were put off.
    private var readingTimer: LoopTimer!
    /// Told once each, until it went well again.
    private var complaints: [UInt64: String] = [:]
    private var turnedAt: ContinuousClock.Instant?
    /// Called with each snapshot, and with what moved in the second that ended with it.
    var onCommit: (Snapshot, TrafficLoads?) -> Void = { _, _ in }

    /// A counted interface and where it is.
    struct CountedPlace: Hashable, Sendable {
        var index: Int32
        var cookie: UInt64
    }

    /// What happened in a second, as the datapath saw it.
    struct Second: Sendable {
        var flows: [FlowDelta]
        var places: [InterfaceID: CountedPlace]
        /// Of each interface, forward what it received.
        var interfaces: [InterfaceID: Load]
        /// What else was found: applications, names.
        var findings: [Observation] = []
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

    func follow(_ namespace: NetworkNamespace, name: String, owner: String) {
        builder.observe(.namespace(NamespaceFact(cookie: namespace.cookie, name: name, owner: owner)))
        do {
            let one = try WatchedNamespace(namespace)
            try loop.watch(one.monitor.descriptor) { [unowned self] in read(one) }
            watched[namespace.cookie] = one
            // Others may have peers in this one.
            for other in watched.values where other.looksAbroad { other.isStale = true }
        } catch { complain(namespace.cookie, "namespace not watched", "\(error)") }
        commitSoon()
    }

    func forget(_ cookie: UInt64) {
        if let one = watched.removeValue(forKey: cookie) { loop.unwatch(one.monitor.descriptor) }
        complaints[cookie] = nil
        builder.observe(.namespaceGone(cookie: cookie))
        commitSoon()
    }

    private func read(_ one: WatchedNamespace) {
        do { builder.observe(try one.changes()) } catch {
            one.isStale = true
            complain(one.cookie, "namespace not read", "\(error)")
        }
        commitSoon()
    }

    /// Reads anew what events did not tell, within the budget: what is put off is read later. Whoever waited longest comes first.
    private func resynchronise() {
        let all = watched.values.map(\.namespace)
        for one in watched.values.filter(\.isStale).sorted(by: { $0.readAt < $1.readAt }) {
            let start = ContinuousClock.now
            // The first reading is never put off: without it there is nothing to show.
            if one.isRead {
                let wait = budget.wait(at: start)
                guard wait == .zero else { return readingTimer.fire(after: wait) }
            }
            do {
                builder.observe(.resynchronised(try one.dump(among: all), in: one.cookie))
                complaints[one.cookie] = nil
            } catch {
                // The next second tries again.
                complain(one.cookie, "namespace not read", "\(error)")
            }
            one.readAt = .now
            budget.spend(one.readAt - start, at: one.readAt)
        }
    }

    private func complain(_ cookie: UInt64, _ what: String, _ reason: String) {
        guard complaints.updateValue(reason, forKey: cookie) != reason else { return }
        log.warning(
            "topology: \(what)", ["namespace": LogValue(watched[cookie]?.namespace.label ?? "\(cookie)"), "reason": LogValue(reason)])
    }

    // MARK: Snapshots

    private func commitSoon() {
        guard !isCommitDue else { return }
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
        let now = ContinuousClock.now
        let length = turnedAt.map { now - $0 } ?? .seconds(1)
        turnedAt = now
        var interfaces: [NodeKey: Load] = [:]
        for (id, load) in second.interfaces {
            guard let place = second.places[id], let key = builder.interface(place.index, in: place.cookie) else { continue }
            interfaces[key, default: Load()] += load
        }
        onCommit(snapshot, TrafficLoads(snapshot, interfaces: interfaces, length: length))
    }
}
