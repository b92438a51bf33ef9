import API
import Datapath
import Flows
import Glibc
import Logging
import Netlink
import NetworkTypes
import PCAPNG
import Policy

/// The mirror sessions whose packets the agent itself writes, to files or to clients. On the agent's thread; the writing is on others.
final class Captures {
    /// Where the packets of a rule go; a rule in several namespaces has several sessions and one of these.
    private final class Sink {
        let rule: String
        let target: MirrorRule.Target
        let queue: CaptureQueue
        let stream: ControlStream?
        var batch = CaptureBatch()
        var known: Set<InterfaceID> = []
        /// By session: what the datapath had lost when last asked.
        var lost: [Int: UInt64] = [:]
        var complaint: String?

        init(_ rule: String, _ target: MirrorRule.Target, _ queue: CaptureQueue, _ stream: ControlStream? = nil) {
            self.rule = rule
            self.target = target
            self.queue = queue
            self.stream = stream
        }
    }

    private struct Place {
        var sink: Sink
        /// Captures of another one are of an earlier or a later session.
        var epoch: UInt32
    }

    private let keeper: PolicyKeeper
    private let datapath: Datapath
    private let follower: InterfaceFollower
    private let log: Log
    private var places = [Place?](repeating: nil, count: RuleKind.mirror.kernelIndices.count)
    private var sinks: [String: Sink] = [:]
    /// Clients whose sessions are in force or about to be.
    private var streams: [String: (stream: ControlStream, limit: UInt64?, isRefused: Bool)] = [:]
    private var number: UInt32 = 0
    /// Sessions were installed or removed since the last `refresh`: packets may be of one that has no place here yet.
    var isChanging = true
    /// Those packets.
    private var unclaimed = CaptureBatch()
    /// Captured packets that belong to nobody any more.
    private(set) var strays: UInt64 = 0

    init(_ keeper: PolicyKeeper, _ datapath: Datapath, _ follower: InterfaceFollower, _ log: Log) {
        self.keeper = keeper
        self.datapath = datapath
        self.follower = follower
        self.log = log
    }

    var isEmpty: Bool { sinks.isEmpty && streams.isEmpty }

    func progress(of rule: String) -> CaptureQueue.Progress? { sinks[rule]?.queue.progress }

    // MARK: Packets

    func add(_ sample: PacketSample, session: Int) {
        guard session < places.count, let place = places[session], place.epoch == sample.epoch else {
            if isChanging { unclaimed.append(sample) } else { strays &+= 1 }
            return
        }
        let sink = place.sink
        let interface = sample.key.interface
        if !sink.known.contains(interface) { describe(interface, to: sink) }
        sink.batch.append(sample)
    }

    private func describe(_ id: InterfaceID, to sink: Sink) {
        sink.known.insert(id)
        let place = follower.place(of: id)
        let link = try? place.flatMap { try $0.namespace.socket.link($0.index) }
        let name = keeper.resolution.interfaces.first { $0.id == id }?.fullName
        let closed = datapath.allInterfaces.first { $0.id == id }?.name
        sink.batch.interfaces.append(
            .init(id: id, name: name ?? closed ?? "#\(id.rawValue)", linkType: link?.isLayer3 == true ? .raw : .ethernet))
    }

    /// Gives what was collected to those who write it.
    func handOver() {
        let offset = Self.clockOffset()
        for (session, place) in places.enumerated() {
            guard let sink = place?.sink, let counts = try? keeper.mirrors.tables.counts(of: session) else { continue }
            let failed = counts.failed[.ringFull, default: 0]
            let before = sink.lost[session] ?? failed
            sink.lost[session] = failed
            if failed > before { sink.batch.lost += failed - before }
        }
        for sink in sinks.values where !sink.batch.isEmpty {
            sink.batch.clockOffset = offset
            sink.queue.add(sink.batch)
            sink.batch = CaptureBatch()
        }
    }

    private static func clockOffset() -> Int64 {
        func now(_ clock: clockid_t) -> Int64 {
            var time = timespec()
            clock_gettime(clock, &time)
            return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        }
        return now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC)
    }

    // MARK: Sessions

    /// The policy, or what of it is in force, has changed.
    func refresh() {
        var wanted: [String: [Int]] = [:]
        for (place, session) in keeper.mirrors.sessions where session.target == .ring {
            guard let rule = keeper.book.tenants[place]?.name else { continue }
            wanted[rule, default: []].append(Int(place.index))
        }
        handOver()
        places = [Place?](repeating: nil, count: places.count)
        for (name, sessions) in wanted {
            guard let rule = keeper.mirror(named: name), let sink = sink(for: rule) else { continue }
            for session in sessions {
                do { places[session] = Place(sink: sink, epoch: try keeper.mirrors.tables.generation(of: session)) } catch {
                    log.error("capture not begun", ["rule": LogValue(name), "reason": LogValue("\(error)")])
                }
            }
        }
        isChanging = false
        let late = unclaimed
        unclaimed = CaptureBatch()
        late.forEach { packet in
            if let session = packet.sample.captureSession { add(packet.sample, session: session) }
            return true
        }
        for (name, sink) in sinks where wanted[name] == nil { end(sink) }
    }

    private func sink(for rule: MirrorRule) -> Sink? {
        if let there = sinks[rule.name] {
            if there.target == rule.target { return there }
            end(there)
        }
        let client = streams[rule.name]
        let queue: CaptureQueue?
        switch rule.target {
        case .file(let file): queue = CaptureQueue.start { CaptureFileOutput(file) }
        case .client:
            guard let client else { return nil }
            queue = CaptureQueue.start { CaptureStreamOutput(client.stream, limit: client.limit) }
        case .interface, .vxlan, .erspan: return nil
        }
        guard let queue else {
            log.error("capture not begun", ["rule": LogValue(rule.name), "reason": "no thread can be started"])
            client?.stream.finish()
            streams[rule.name]?.isRefused = true
            return nil
        }
        let sink = Sink(rule.name, rule.target, queue, client?.stream)
        sinks[rule.name] = sink
        // A reader is told of the interfaces before the first packet.
        var plan = PolicyPlan()
        for interface in keeper.resolution.interfaces(of: rule.scope, for: rule.name, &plan) { describe(interface.id, to: sink) }
        return sink
    }

    private func end(_ sink: Sink) {
        sinks[sink.rule] = nil
        for (session, place) in places.enumerated() where place?.sink === sink { places[session] = nil }
        if !sink.batch.isEmpty { sink.queue.add(sink.batch) }
        // The thread goes on until all is written.
        sink.queue.end()
    }

    /// At the agent's end.
    func finish() {
        handOver()
        for sink in sinks.values { sink.queue.end(.seconds(2)) }
        sinks = [:]
    }

    // MARK: Clients

    /// The rule of a session for a client.
    func rule(_ scope: RuleScope, snapLength: Int?) -> MirrorRule {
        number += 1
        return MirrorRule(name: MirrorRule.captureName(number), scope: scope, target: .client(number), snapLength: snapLength)
    }

    func begin(_ rule: MirrorRule, to stream: ControlStream, limit: UInt64?) throws {
        streams[rule.name] = (stream, limit, false)
        do { try keeper.add(guest: rule) } catch {
            streams[rule.name] = nil
            throw error
        }
    }

    /// Ends the sessions of clients that have gone or have had enough.
    /// - Returns: their names, and how many packets they got and lost.
    func endOver() -> [(name: String, progress: CaptureQueue.Progress)] {
        var ended: [(String, CaptureQueue.Progress)] = []
        for (name, client) in streams {
            let progress = sinks[name]?.queue.progress ?? CaptureQueue.Progress()
            guard progress.isOver || client.isRefused || client.stream.checkClient() else { continue }
            streams[name] = nil
            do { try keeper.remove(guest: name) } catch {
                log.error("capture not ended", ["rule": LogValue(name), "reason": LogValue("\(error)")])
            }
            ended.append((name, progress))
        }
        return ended
    }

    /// Says once that packets cannot be written, and once that they can again.
    func complain() {
        for sink in sinks.values {
            let problem = sink.queue.progress.problem
            guard problem != sink.complaint else { continue }
            sink.complaint = problem
            if let problem {
                log.error("capture not written", ["rule": LogValue(sink.rule), "reason": LogValue(problem)])
            } else {
                log.info("capture is written again", ["rule": LogValue(sink.rule), "lost": LogValue(sink.queue.progress.lost)])
            }
        }
    }
}
