import Configuration
import Foresight
import Logging
import NetworkTypes
import Suspicions
import Synchronization
import Topology

/// The thread on which series are watched: what each second brings is taken in, models are fitted, anomalies put together to incidents.
///
/// Nobody waits for it: seconds come as jobs, fits are done between them, and who asks gets a copy of what is known.
final class ForesightThread: Sendable {
    let clock: StepClock
    private let log: Log
    private let jobs: JobQueue
    // Both are touched by jobs of the loop alone, which run on its thread; made before that thread is there.
    private nonisolated(unsafe) let loop: EventLoop
    private nonisolated(unsafe) let worker: ForesightWorker
    private let book: Mutex<SeriesBook>
    private let hasBegun = Atomic(false)
    /// The last second after which nothing was left to do; seconds since 1970, 0: none yet.
    private let doneAt = Atomic<Int64>(0)
    private let seenAt = Atomic<Int64>(0)
    let incidents: IncidentKeeper

    init(_ configuration: AgentConfiguration, _ log: Log, past: HistoryReader?) throws {
        let clock = StepClock(day: Int(configuration.forecast.day.components.seconds))
        self.clock = clock
        self.log = log
        let loop = try EventLoop()
        self.loop = loop
        jobs = loop.jobs
        book = Mutex(
            SeriesBook(
                clock, limit: configuration.forecast.series, threshold: configuration.anomalies.threshold, partner: SeriesKey.partner))
        var folder: ForesightFolder?
        do { folder = try configuration.forecast.state.map { try ForesightFolder(path: $0) } } catch {
            log.warning("forecasts and incidents are forgotten when the agent ends", ["reason": LogValue("\(error)")])
        }
        incidents = IncidentKeeper(configuration.anomalies, clock, folder, log)
        worker = ForesightWorker(clock, folder, past.map { PastReader($0, clock) }, log)
        worker.timer = try loop.timer { [unowned self] in work() }
        let isStarted = DetachedThread.start { [self] in
            do { try self.loop.run() } catch { log.error("forecasts are made no longer", ["reason": LogValue("\(error)")]) }
        }
        guard isStarted else { throw AgentFailure("make forecasts", "no thread could be started") }
    }

    /// What a second brought.
    func add(_ snapshot: Snapshot, _ second: MeasuredSecond) {
        // The first one also has what the kernel counted while nobody looked.
        guard hasBegun.exchange(true, ordering: .relaxed) else { return }
        let end = snapshot.time.nanoseconds / 1_000_000_000
        _ = jobs.add { [self] in
            let samples = SeriesBook.Second(end: end, duration: second.loads.length / .seconds(1), samples: second.watched(snapshot))
            let (findings, newcomers) = book.withLock { ($0.turn(samples), $0.takeNewcomers()) }
            worker.newcomers += newcomers
            seenAt.store(end, ordering: .relaxed)
            incidents.turn(findings, snapshot, second.loads, at: end) { [self] key in book.withLock { $0[key] } }
            work()
        }
    }

    /// What the packets themselves gave away.
    func report(_ suspicion: Suspicion) {
        let end = Timestamp.now.nanoseconds / 1_000_000_000
        _ = jobs.add { [self] in
            incidents.report(Incident.Member(suspicion), goesOn: suspicion.phase == .updated, relations: suspicion.relations, at: end)
        }
    }

    /// Does what waits, for a while.
    private func work() {
        if worker.work(book) {
            worker.timer.fire(after: .milliseconds(1))
        } else {
            doneAt.store(seenAt.load(ordering: .relaxed), ordering: .relaxed)
        }
    }

    // MARK: Asked by others

    func series(_ key: String) -> WatchedSeries? { book.withLock { $0[key] } }
    var keys: [String] { book.withLock { $0.allKeys } }

    /// How long ago the last second was after which all was done; nil: not longer than usual, a few looks.
    var behindSeconds: Int? {
        let done = doneAt.load(ordering: .relaxed)
        guard done > 0 else { return nil }
        let behind = Int(Timestamp.now.nanoseconds / 1_000_000_000 - done)
        return behind > max(Self.usualDelay, 3 * clock.look) ? behind : nil
    }

    /// Seconds: what is measured comes once a second, and fits take a moment.
    private static let usualDelay = 5

    struct Health: Sendable {
        var series = 0
        var limit = 0
        var refused = 0
        var waiting = 0
        var bytes = 0
    }

    var health: Health {
        book.withLock { Health(series: $0.count, limit: $0.limit, refused: $0.refused, waiting: $0.waiting, bytes: $0.bytes) }
    }

    /// Keeps what is known, and ends.
    func stop() {
        _ = jobs.add { [self] in
            worker.keep(book)
            incidents.stop()
            loop.stop()
        }
    }
}

extension AgentConfiguration.Anomalies {
    /// See docs/anomalies.md for what each costs and brings.
    var threshold: Double {
        switch sensitivity {
        case .low: 4.5
        case .normal: 3.5
        case .high: 2.5
        }
    }
}
