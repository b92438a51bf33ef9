import API
import CLinux
import Configuration
import Datapath
import Flows
import Glibc
import Logging
import Netlink
import NetworkTypes
import Privileges
import Reports
import Topology

/// The agent: owns the kernel side, keeps the flow table, answers questions.
///
/// Everything here runs on one thread, that of the event loop; questions come in as jobs (`ask`) and leave as values.
final class Agent {
    static let version = "0.1.0"

    private(set) var configuration: AgentConfiguration
    let log: Log
    let audit: AuditLog?
    let loop: EventLoop
    let datapath: Datapath
    let collector: Collector
    private(set) var follower: InterfaceFollower!
    /// nil until all is attached.
    private(set) var keeper: PolicyKeeper!
    private(set) var reporter: PolicyReporter!
    private(set) var consumer: SampleConsumer!
    private(set) var planning: PlanningKeeper!
    /// nil until the agent runs.
    private(set) var topology: TopologyThread?
    private(set) var historyPlace: HistoryPlace?
    /// nil where nothing is kept.
    private(set) var historyReader: HistoryReader?
    /// nil where applications are switched off, or the classifier could not be started.
    var applications: ApplicationKeeper?
    var applicationsProblem: String?
    /// nil where it is switched off.
    private(set) var suspicions: SuspicionKeeper?
    /// nil where the kernel cannot name its drops.
    let drops: DropLedger?
    private let ring: WakeupRing
    private(set) var targets: [ExportTarget] = []
    let memory = ReturnedMemory()
    let startedAt: Timestamp
    private var readTimer: LoopTimer!
    private var turnTimer: LoopTimer!
    private var confirmTimer: LoopTimer!
    private var searchTimer: LoopTimer!
    /// Keep counting in the kernel when the agent ends.
    private(set) var keepsCounting = true
    private(set) var previousTotals: [ObservationPoint: Totals] = [:]
    private(set) var rates: [ObservationPoint: FlowRate] = [:]
    private var hostMeter = HostMeter()
    private var turnedAt: ContinuousClock.Instant?

    init(_ configuration: AgentConfiguration, log: Log) throws {
        self.configuration = configuration
        self.log = log
        startedAt = .now
        audit = Self.openAudit(log)
        // Before anything is attached, so that it knows of every drop since.
        drops = DropLedger(log)
        loop = try EventLoop()
        var options = Datapath.Options()
        options.pins = try BPFFileSystem.pins(configuration.bpffs)
        options.geometry = TableGeometry(
            flows: configuration.datapath.flows, logRecordsPerCPU: configuration.datapath.logRecords,
            ledgers: configuration.datapath.interfaces)
        options.features = [.vxlan]
        if configuration.datapath.tcpAnalysis { options.features.insert(.tcp) }
        if configuration.looksForSuspicions && configuration.anomalies.suspicions.sketches { options.features.insert(.sketches) }
        options.vxlanPorts = (configuration.datapath.vxlanPorts.first ?? 0, configuration.datapath.vxlanPorts.dropFirst().first ?? 0)
        options.mode = AttachMode(rawValue: configuration.attach.mode.rawValue) ?? .auto
        options.samplesFirst = configuration.applications.isOn
        options.order = HookOrder(rawValue: configuration.attach.order.rawValue) ?? .outer
        datapath = try Datapath(options: options)
        collector = Collector(datapath, configuration.flows)
        ring = try WakeupRing(maps: datapath.maps)
        follower = try InterfaceFollower(
            configuration, datapath, log,
            onWatch: { [unowned self] followed in
                try loop.watch(followed.monitor.descriptor) { [unowned self] in
                    let changes = try followed.monitor.drain()
                    if !changes.isEmpty { follower.synchronise(followed) }
                    if changes.neighbours { keeper?.followNeighbours(asks: false) }
                    if !changes.isEmpty || changes.qdiscs { keeper?.synchronise(isOurs: !changes.isEmpty) }
                }
                follow(followed)
            },
            onUnwatch: { [unowned self] followed in
                loop.unwatch(followed.monitor.descriptor)
                let cookie = followed.namespace.cookie
                topology?.tell { $0.forget(cookie) }
            },
            onAttach: { [unowned self] id, name in
                if let interface = datapath.interfaces.first(where: { $0.id == id }) { try? drops?.attached(interface) }
                note(
                    "attach", by: .agent("interface appeared"), ["interface": LogValue(name), "id": LogValue(id.rawValue)])
            },
            onClose: { [unowned self] id, reason in
                // What it counted to the end is read before its flows are closed.
                _ = try? collector.collect()
                collector.close(id)
                drops?.closed(id)
                note(
                    "detach", by: .agent(reason),
                    ["id": LogValue(id.rawValue), "interface": LogValue(datapath.allInterfaces.first { $0.id == id }?.name ?? "")])
            })
        if datapath.tookOver { datapath.reader.takeOver(from: handover) } else { unlink(handover) }
        setTargets()
        if datapath.tookOver { log.info("counters of an earlier agent go on", ["interfaces": LogValue(datapath.allInterfaces.count)]) }
    }

    private static func openAudit(_ log: Log) -> AuditLog? {
        _ = mkdir("/var/log/nilo", 0o750)
        do { return try AuditLog(path: "/var/log/nilo/audit.jsonl") } catch {
            log.warning("no audit log", ["reason": LogValue("\(error)")])
            return nil
        }
    }

    /// Writes a change to the audit log, and says so where that fails.
    func note(_ change: String, by actor: AuditLog.Actor, _ fields: KeyValuePairs<String, LogValue>) {
        guard let audit, !audit.record(change, by: actor, result: .done, fields) else { return }
        log.warning("audit log not written", ["change": LogValue(change), "lost": LogValue(audit.lost)])
    }

    /// What has changed takes effect; what is the same goes on as it was.
    func take(_ change: ConfigurationChange) throws {
        // What is due goes to those who were to get it.
        export()
        configuration = change.result
        log.setLevel(configuration.log.level.logged)
        collector.limits = configuration.flows
        setTargets()
        for target in targets { target.open(now: .now) }
        consumer.setCollectors(configuration.sflow)
        follower.choose(configuration)
        let declarations = Declarations(configuration.topology)
        topology?.tell { $0.declare(declarations) }
        applyPolicy(because: "SIGHUP")
        try read()
    }

    /// A target for each collector. One keeps its session as long as it keeps its place, which is its observation domain.
    private func setTargets() {
        let before = targets
        targets = configuration.export.enumerated().map { place, export in
            if place < before.count, before[place].configuration == export { return before[place] }
            return ExportTarget(export, domain: UInt32(place + 1), log: log)
        }
        for old in before where !targets.contains(where: { $0 === old }) { old.finish(now: .now, patience: .zero) }
        collector.isExporting = !targets.isEmpty
    }

    // MARK: Running

    /// Attaches and takes the first reading: what needs all privileges.
    func prepare() throws {
        try follower.start()
        // One whole walk, so that what an earlier agent counted is found before the rest is closed.
        for _ in 0..<64 { if try follower.search(atOnce: true) { break } }
        try follower.sweep()
        keeper = try PolicyKeeper(configuration, datapath, follower, log, qdiscs: QdiscKinds.probe())
        confirmTimer = try loop.timer { [unowned self] in keeper.takeBack() }
        keeper.onLapse = { [unowned self] files, reason in
            note("policy taken back", by: .agent(reason), ["files": LogValue(files.joined(separator: " "))])
        }
        keeper.onPending = { [unowned self] in confirmTimer.fire(after: $0) }
        reporter = PolicyReporter(keeper, follower)
        planning = PlanningKeeper(configuration, keeper, log, elsewhere: fitElsewhere)
        planning.takeOver()
        consumer = try SampleConsumer(loop, keeper, datapath, follower, log)
        consumer.onEnd = { [unowned self] name, progress in
            note(
                "capture ended", by: .agent("its client has gone or has had enough"),
                ["session": LogValue(name), "packets": LogValue(progress.written), "lost": LogValue(progress.lost)])
        }
        reporter.captures = consumer.captures
        reporter.collectorProblem = { [unowned self] in consumer.collectorProblem }
        try startApplications()
        if configuration.looksForSuspicions {
            suspicions = try SuspicionKeeper(configuration.anomalies.suspicions, datapath, log)
        }
        applyPolicy(because: "start")
        try loop.watch(ring.descriptor) { [unowned self] in
            try ring.drain()
            consumer.wake()
            try read()
        }
        if let descriptor = follower.finderDescriptor {
            try loop.watch(descriptor) { [unowned self] in try follower.search() }
            searchTimer = try loop.timer { [unowned self] in
                try follower.search()
                searchTimer.fire(after: .milliseconds(250))
            }
            searchTimer.fire(after: .milliseconds(250))
        }
        readTimer = try loop.timer { [unowned self] in try read() }
        turnTimer = try loop.timer { [unowned self] in try turn() }
        try read()
        turnTimer.fire(after: Self.untilNextTurn)
    }

    /// Applies what the policy folder says. A file with a problem leaves what is in force, and the agent goes on.
    private func applyPolicy(because reason: String) {
        do {
            for reason in keeper.unread { log.warning("policy file passed over", ["reason": LogValue(reason)]) }
            let plan = try keeper.load()
            for refusal in plan.refusals {
                log.error("rule not applied", ["rule": LogValue(refusal.rule), "reason": LogValue(refusal.reason)])
            }
            let steps = plan.steps.flatMap(\.reports)
            if !steps.isEmpty { note("policy", by: .agent(reason), ["steps": LogValue(steps.count)]) }
        } catch { log.error("policy not applied", ["reason": LogValue("\(error)")]) }
    }

    /// Reads and answers until a signal or `stop` ends it.
    func run() throws {
        // Not before: connecting has threads of its own, which must start without the privileges.
        for target in targets { target.open(now: .now) }
        consumer.setCollectors(configuration.sflow)
        if configuration.topology.isKept {
            historyPlace = HistoryPlace(configuration.history)
            historyReader = historyPlace?.reader
            topology = try TopologyThread(
                configuration, log, history: try historyPlace?.thread(log),
                foresight: configuration.forecast.isOn ? try ForesightThread(configuration, log, past: historyReader) : nil)
            for followed in follower.namespaces.values { follow(followed) }
            topology?.tell { $0.begin() }
        }
        collector.keepsGains = asksForGains
        try loop.run()
        topology?.stop()
    }

    /// A namespace is part of the topology.
    private func follow(_ followed: FollowedNamespace) {
        let namespace = followed.namespace
        let (name, owner) = (namespace.name ?? followed.owner ?? "init", followed.owner ?? "")
        topology?.tell { $0.follow(namespace, name: name, owner: owner) }
    }

    private func read() throws { readTimer.fire(after: try collector.collect()) }

    /// In the middle of the clock's seconds: what happened in one is kept as of that one, however late the timer fires.
    private static var untilNextTurn: Duration {
        let second: Int64 = 1_000_000_000
        let phase = Timestamp.now.nanoseconds % second
        let rest = second + second / 2 - phase
        return .nanoseconds(rest > second + second / 4 ? rest - second : rest)
    }

    private func turn() throws {
        turnTimer.fire(after: Self.untilNextTurn)
        let began = ContinuousClock.now
        let length = turnedAt.map { began - $0 } ?? .seconds(1)
        turnedAt = began
        planning.turn(reporter.latest, at: .now)
        collector.keepsGains = asksForGains
        // So that a second's flows and its interfaces' counters are of the same moment; but not more often than was asked for.
        if configuration.flows.interval <= .seconds(1) {
            let due = try collector.collect()
            // The next turn reads anyhow: the timer is for what cannot wait so long.
            readTimer.fire(after: due < .seconds(1) ? due : due + .milliseconds(250))
        }
        follower.repair()
        keeper.turn(now: .now)
        reporter.turn(now: .now)
        consumer.turn()
        applications?.turn()
        measureRates()
        collector.turn(now: .now, length: length)
        tellGains()
        export()
        memory.giveBack()
        log.flushSuppressed()
        if ServiceNotification.watchdogInterval != nil { _ = try? ServiceNotification.watchdog.send() }
    }

    private func export() {
        guard !targets.isEmpty else { return }
        let due = collector.takeDue()
        let interfaces = Dictionary(uniqueKeysWithValues: datapath.allInterfaces.map { ($0.id, $0) })
        let overflow = interfaces.keys.reduce(Totals()) { sum, id in
            Direction.allCases.reduce(sum) { $0 + (datapath.books(id, $1)?.overflowTotal ?? Totals()) }
        }
        for target in targets { target.send(due, interfaces: interfaces, overflow: overflow, now: .now) }
    }

    /// Somebody wants to know what flows did in a second.
    private var asksForGains: Bool { topology != nil || suspicions != nil || planning.routes.isActive }

    /// What flows did since the last turn.
    private func tellGains() {
        var gains: [FlowDelta] = []
        let now = Timestamp.now
        collector.takeGains { record, totals, transport in
            suspicions?.observe(record, totals, now: now)
            planning.routes.observe(record.key, totals)
            guard topology != nil else { return }
            gains.append(FlowDelta(key: record.key, totals: totals, transport: transport, traits: record.traits))
        }
        tellPlanning()
        for suspicion in suspicions?.turn(now: now) ?? [] { topology?.foresight?.report(suspicion) }
        if let topology { tell(topology, gains) }
    }

    /// What the interfaces of the agent's own namespace sent in the second whose flows were told.
    private func tellPlanning() {
        guard planning.routes.isActive else { return }
        var (sent, ids): ([String: UInt64], [String: InterfaceID]) = ([:], [:])
        for interface in keeper.interfaces where interface.namespace == nil {
            ids[interface.name] = interface.id
            sent[interface.name] = rates[ObservationPoint(interface: interface.id, direction: .egress)]?.bytes
        }
        planning.routes.close(over: collector.turnLength, sent: sent, ids: ids)
    }

    /// What flows did, and where they were counted.
    private func tell(_ topology: TopologyThread, _ gains: [FlowDelta]) {
        var second = TopologyKeeper.Second(length: collector.turnLength, flows: gains, places: [:], interfaces: [:])
        for interface in datapath.interfaces {
            second.places[interface.id] = .init(index: Int32(interface.ifindex), cookie: interface.namespaceCookie)
            let received = rates[ObservationPoint(interface: interface.id, direction: .ingress)]
            let sent = rates[ObservationPoint(interface: interface.id, direction: .egress)]
            second.interfaces[interface.id] = Load(
                forwardBytes: received?.bytes ?? 0, backwardBytes: sent?.bytes ?? 0, forwardPackets: received?.packets ?? 0,
                backwardPackets: sent?.packets ?? 0)
        }
        second.findings = applications?.takeObservations() ?? []
        second.host = hostMeter.read(flows: collector.flowCount)
        topology.tell { [second] in $0.turn(second) }
    }

    private func measureRates() {
        for interface in datapath.interfaces {
            for direction in Direction.allCases {
                let point = ObservationPoint(interface: interface.id, direction: direction)
                guard let seen = datapath.books(interface.id, direction)?.seen else { continue }
                if let before = previousTotals[point] {
                    rates[point] = FlowRate(packets: seen.wirePackets &- before.wirePackets, bytes: seen.wireBytes &- before.wireBytes)
                }
                previousTotals[point] = seen
            }
        }
    }

    // MARK: Ending

    /// Where one agent tells the next what has been exported: beside the control socket, gone with a reboot as the counters are.
    private var handover: String {
        let socket = configuration.control.socket
        return (socket.lastIndex(of: "/").map { String(socket[..<$0]) } ?? ".") + "/exported"
    }

    /// - Parameter delay: lets an answer that is under way reach whoever asked.
    func stop(keep: Bool, after delay: Duration = .zero) throws {
        keepsCounting = keep
        let timer = try loop.timer { [loop] in loop.stop() }
        timer.fire(after: delay)
    }

    /// Ends as was asked: leaves the kernel side counting, or takes everything away.
    func finish() throws {
        _ = try collector.collect()
        collector.endAll()
        export()
        for target in targets { target.finish(now: .now) }
        consumer?.finish()
        applications?.finish()
        planning?.keep()
        if keepsCounting {
            if !targets.isEmpty { try datapath.reader.handOver(to: handover) }
            log.info("stopped; the kernel side goes on counting", ["interfaces": LogValue(datapath.interfaces.count)])
        } else {
            keeper?.withdraw()
            planning?.withdraw()
            for trace in traces() {
                log.warning("left in the kernel", ["what": LogValue(trace), "hint": "nilo cleanup takes it away"])
            }
            follower.detachAll()
            try datapath.removePins()
            log.info("stopped and removed")
        }
    }
}
