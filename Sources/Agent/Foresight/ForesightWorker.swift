import Foresight
import Logging
import NetworkTypes
import Synchronization

/// What is done for series between the seconds: their past is read, models are fitted, and how forecasts did is kept. On its thread alone.
final class ForesightWorker {
    private let clock: StepClock
    private let folder: ForesightFolder?
    private let past: PastReader?
    private let log: Log
    /// Series whose past has not been read yet.
    var newcomers: [String] = []
    var timer: LoopTimer!
    /// Of an earlier agent, by key.
    private var records: [String: ForecastRecord] = [:]
    private var keptHour: Int64 = 0
    private var told: Set<String> = []

    /// Series of an earlier agent whose records are kept.
    private static let mostRecords = 1000
    /// For so long at a time nothing else is done.
    private static let stint = Duration.milliseconds(50)

    init(_ clock: StepClock, _ folder: ForesightFolder?, _ past: PastReader?, _ log: Log) {
        self.clock = clock
        self.folder = folder
        self.past = past
        self.log = log
        do { records = try folder?.readRecords() ?? [:] } catch { complain(error) }
        keptHour = hour
    }

    private var now: Int64 { Timestamp.now.nanoseconds / 1_000_000_000 }
    private var hour: Int64 { now / Int64(clock.long) }

    /// - Returns: whether there is more to do.
    func work(_ book: borrowing Mutex<SeriesBook>) -> Bool {
        let end = ContinuousClock.now + Self.stint
        while ContinuousClock.now < end {
            if !newcomers.isEmpty {
                recall(newcomers.removeFirst(), book)
            } else if let task = book.withLock({ $0.nextTask() }) {
                let result = task.run()
                book.withLock { $0.finish(result) }
            } else {
                if hour != keptHour { keep(book) }
                return false
            }
        }
        return true
    }

    private func recall(_ key: String, _ book: borrowing Mutex<SeriesBook>) {
        if let record = records.removeValue(forKey: key) { book.withLock { $0.restore(key, record) } }
        guard let past, let series = SeriesKey(key) else { return }
        do {
            let found = try past.past(of: series, until: now)
            book.withLock { $0.replay(key, found.looks, hours: found.hours, hoursEnd: found.hoursEnd) }
        } catch { complain(error) }
    }

    /// How forecasts did; what an earlier agent knew of series that have not come again stays.
    func keep(_ book: borrowing Mutex<SeriesBook>) {
        keptHour = hour
        guard let folder else { return }
        var all = book.withLock { book in book.allKeys.compactMap { key in book[key].map { (key: key, record: $0.record) } } }
        all += records.prefix(Self.mostRecords).map { (key: $0.key, record: $0.value) }
        do { try folder.write(all) } catch { complain(error) }
    }

    private func complain(_ error: any Error) {
        guard told.insert("\(error)").inserted else { return }
        log.warning("forecasts: what was is not known, or not kept", ["reason": LogValue("\(error)")])
    }
}
