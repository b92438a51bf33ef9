import Applications
import Configuration
import Datapath
import Dissection
import Flows
import Logging
import NetworkTypes
import Reports
import Topology

/// Has the first packets of flows looked at by the classifier's process, and keeps what it says. On the agent's thread.
///
/// The process reads what strangers sent, so what it says is a hint: it is taken for conversations that the datapath has counted, and no more
/// of it than a bound.
final class ApplicationKeeper {
    /// Where an interface's packets belong, and what they begin with.
    private struct Place {
        var network: UInt32
        var layer: FrameHeaders.Layer
    }

    private let configuration: AgentConfiguration.Applications
    private let process: ClassifierProcess
    private let samplers: SamplerTables
    private let ring: SampleRing
    private let datapath: Datapath
    private let follower: InterfaceFollower
    private let log: Log
    private var book = ApplicationBook()
    private var neighbours = NeighbourBook()
    private var places: [InterfaceID: Place] = [:]
    private var mayLookUp = true
    /// What the topology has not been told, and how many readings of the datapath there had been when it was found.
    private var untold: [(reading: UInt64, observation: Observation)] = []
    private var seen = ClassifierProcessCounters()
    /// How many readings there have been.
    private let readings: () -> UInt64

    // Samples of the round that runs, and their bytes; no more than the ring holds.
    private var round: [(note: PacketNote, range: Range<Int>)] = []
    private var bytes: [UInt8] = []
    private static let keptBytes = 1 << 20

    // In the second that runs.
    private var samplesNow = 0
    private var namesNow = 0
    /// Samples beyond the budget of all CPUs together.
    private var beyondBudget: UInt64 = 0
    private var learnedNames: UInt64 = 0
    private var refusedNames: UInt64 = 0

    /// Of each direction of a conversation.
    static let firstPackets: UInt32 = 8
    /// A second: more names than any resolver's client learns.
    private static let namesPerSecond = 1000
    private static let mostUntold = 65_536

    /// Starts the process. Before the agent gives up its privileges or after, the process has none (`Confinement`).
    init(
        _ configuration: AgentConfiguration.Applications, program: ClassifierProcess.Program, _ loop: EventLoop, _ datapath: Datapath,
        _ follower: InterfaceFollower, _ log: Log, readings: @escaping () -> UInt64
    ) throws {
        self.configuration = configuration
        self.datapath = datapath
        self.follower = follower
        self.log = log
        self.readings = readings
        samplers = try SamplerTables(maps: datapath.maps)
        ring = try SampleRing(maps: datapath.maps)
        var settings = ClassifierSettings()
        settings.cpuPermille = UInt32(configuration.cpuPercent * 10)
        settings.limits.packets = UInt8(Self.firstPackets * 2)
        process = try ClassifierProcess(program, settings)
        try process.start()
        do { try loop.watch(process.descriptor) { [unowned self] in serve() } } catch {
            process.stop()
            throw error
        }
        samplers.installFirst(packets: Self.firstPackets, snapLength: configuration.snap, perSecond: configuration.samplesPerSecond)
    }

    // MARK: Packets

    /// A sample of `SamplerTables.first`.
    func offer(_ sample: PacketSample) {
        guard samplesNow < configuration.samplesPerSecond else {
            beyondBudget += 1
            return
        }
        samplesNow += 1
        let key = sample.key
        guard let place = place(of: key.interface), book.ask(key, network: place.network) || key.outer.etherType == FrameHeaders.lldp
        else { return }
        let note = PacketNote(
            time: sample.monotonicNanoseconds, originalLength: sample.packetBytes, network: place.network,
            interface: key.interface.rawValue, isEgress: key.direction == .egress, layer: place.layer)
        round.append((note, bytes.count..<bytes.count + sample.header.count))
        bytes.append(contentsOf: sample.header)
    }

    /// At the end of each round of samples. They come CPU after CPU, but the two directions of a conversation may be on two.
    func flush() {
        round.sort { $0.note.time < $1.note.time }
        bytes.withUnsafeBytes { all in
            for (note, range) in round { process.offer(UnsafeRawBufferPointer(rebasing: all[range]), note) }
        }
        round.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptBytes)
        process.flush()
    }

    private func place(of id: InterfaceID) -> Place? {
        if let known = places[id] { return known }
        // Once a second: a packet may be of an interface that has gone.
        guard mayLookUp else { return nil }
        mayLookUp = false
        var found: [InterfaceID: Place] = [:]
        for interface in datapath.interfaces {
            if let known = places[interface.id] {
                found[interface.id] = known
                continue
            }
            let link = try? follower.place(of: interface.id).flatMap { try $0.namespace.socket.link($0.index) }
            found[interface.id] = Place(
                network: Self.network(interface.namespaceCookie), layer: link?.isLayer3 == true ? .network : .ethernet)
        }
        places = found
        return places[id]
    }

    /// Addresses are told apart by their namespace. Cookies are counted up from 1.
    private static func network(_ cookie: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: cookie) }

    // MARK: Findings

    private func serve() {
        for finding in process.serve() { take(finding) }
        complain()
    }

    private func take(_ finding: Applications.Finding) {
        switch finding {
        case .application(let verdict):
            if let told = book.accept(verdict) { tell(.verdict(told)) }
        case .name(let answer, let network):
            guard namesNow < Self.namesPerSecond, places.values.contains(where: { $0.network == network }) else {
                refusedNames += 1
                return
            }
            namesNow += 1
            learnedNames += 1
            tell(.named(answer.address, answer.name))
        case .neighbour(let neighbour, let interface):
            let id = InterfaceID(rawValue: interface)
            guard places[id] != nil, neighbours.learn(neighbour, on: id, now: .now) else {
                refusedNames += 1
                return
            }
            tell(.announced(neighbours.known(on: id), on: id))
        }
    }

    private func tell(_ observation: Observation) {
        // The topology takes them each second; this bound is for one that does not.
        if untold.count < Self.mostUntold { untold.append((readings(), observation)) }
    }

    /// What the topology is to be told now: what was found before the datapath was read last, so that the flows it is about are known there.
    func takeObservations() -> [Observation] {
        let now = readings()
        let ripe = untold.filter { $0.reading < now }.map(\.observation)
        untold.removeAll { $0.reading < now }
        return ripe
    }

    /// nil: not known (yet).
    func application(of key: FlowKey) -> FlowApplication? {
        places[key.interface].flatMap { book.application(of: key, network: $0.network) }
    }

    /// A second has passed.
    func turn() {
        samplesNow = 0
        namesNow = 0
        mayLookUp = true
        let there = Set(datapath.interfaces.map(\.id))
        if places.keys.contains(where: { !there.contains($0) }) { places = places.filter { there.contains($0.key) } }
        for id in neighbours.expire(now: .now, keeping: there) { tell(.announced(neighbours.known(on: id), on: id)) }
    }

    private func complain() {
        let now = process.counters
        defer { seen = now }
        let causes: [(String, UInt64)] = [
            ("it ended", now.ended - seen.ended), ("it gave no answer", now.hung - seen.hung),
            ("what it said was malformed", now.malformed - seen.malformed),
            ("it could not be started", now.failedStarts - seen.failedStarts),
        ]
        for (cause, count) in causes where count > 0 {
            log.warning("classifier replaced", ["reason": LogValue(cause), "restarts": LogValue(now.restarts)])
        }
    }

    // MARK: Reports

    func report() -> StatusReport.Applications {
        let (own, worker) = (process.counters, process.workerCounters)
        var report = StatusReport.Applications(state: "pausing")
        switch process.state {
        case .running(let number): (report.state, report.process) = ("running", number)
        case .stopped: report.state = "stopped"
        case .pausing: break
        }
        report.packets = own.offered
        report.inspected = worker.inspected
        report.passedOver = ring.firstPassedOver &+ beyondBudget &+ own.resting &+ own.passedOver
        report.lost = samplers.counters(of: SamplerTables.first).ringFull &+ own.tooSlow &+ own.notRunning &+ own.lost
        report.conversations = worker.conversations
        report.identified = worker.identified
        report.guessed = worker.guessed
        report.unknown = worker.unknown
        report.names = learnedNames
        report.refused = book.strangers &+ refusedNames
        report.restarts = own.restarts
        report.cpuSeconds = Double(own.cpuTime) / 1e9
        return report
    }

    /// Ends the process, and the sampling for it.
    func finish() {
        samplers.removeFirst()
        process.stop()
    }
}
