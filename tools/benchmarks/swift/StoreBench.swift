import Glibc
import NetworkTypes
import Storage

/// A folder for the databases under measurement, removed afterwards.
final class StoreFolder {
    let path: String

    init() throws {
        var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/nilo-bench.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchError("mkdtemp", errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in ["ours", "plain", "new"] { for suffix in ["", "-wal", "-shm"] { unlink("\(path)/\(name)\(suffix)") } }
        rmdir(path)
    }

    /// Bytes of a database and its log.
    func size(_ name: String) -> Double {
        ["", "-wal"].reduce(0) { sum, suffix in
            var status = stat()
            return stat("\(path)/\(name)\(suffix)", &status) == 0 ? sum + Double(status.st_size) : sum
        }
    }
}

/// Seconds that something takes.
func timed(_ body: () throws -> Void) rethrows -> Double {
    let start = wallSeconds()
    try body()
    return wallSeconds() - start
}

/// The topology's history: 10,000 entities, a million versions in all.
func measureTopologyHistory(_ plan: Plan, _ results: Results) throws {
    try measureHistory(plan, results, newStates: 15, prefix: "topology")
    if plan.isThorough { try measureHistory(plan, results, newStates: 100, prefix: "topology_all_new") }
}

private func measureHistory(_ plan: Plan, _ results: Results, newStates: Int, prefix: String) throws {
    let folder = try StoreFolder()
    let versions = plan.isThorough ? 1_000_000 : 200_000
    var workload = StoreWorkload(newStates: newStates)
    let epochs = versions / workload.changes
    var ours: SQLiteStore? = try SQLiteStore(path: "\(folder.path)/ours", limits: StorageLimits(size: 8 << 30))
    let plain = try PlainStore("\(folder.path)/plain")
    var rates: [Double] = []
    var plainRates: [Double] = []
    for number in 1...epochs {
        let epoch = workload.epoch(number)
        // In turns, so that what disturbs one disturbs the other.
        rates.append(Double(epoch.changes.count) / (try timed { try ours!.append(epoch) }))
        plainRates.append(Double(epoch.changes.count) / (try timed { try plain.append(epoch) }))
    }
    // Closed, and opened again: what is measured lies in the file.
    ours = nil
    try plain.finish()
    results.add("\(prefix)_changes_per_s", rates, .atLeast(50_000), reference: median(plainRates))
    results.add(
        "\(prefix)_bytes_per_version", folder.size("ours") / Double(versions), .atMost(80),
        reference: folder.size("plain") / Double(versions))
    results.add("\(prefix)_open_ms", try timed { ours = try SQLiteStore(path: "\(folder.path)/ours") } * 1e3)
    let reader = try SQLiteReader(path: "\(folder.path)/ours")

    var at: [Double] = []
    var plainAt: [Double] = []
    var diff: [Double] = []
    var plainDiff: [Double] = []
    var log: [Double] = []
    var history: [Double] = []
    var plainHistory: [Double] = []
    for round in 0..<plan.rounds {
        // All over the history, between two epochs.
        let epoch = 2 + (round * 37 + 11) % (epochs - 3)
        let time = StoreWorkload.time(epoch) + .milliseconds(500)
        var found = (0, 0)
        at.append(try timed { found.0 = try reader.entities(at: time).count } * 1e3)
        plainAt.append(try timed { found.1 = try plain.entities(at: time).count } * 1e3)
        guard found.0 == workload.entities, found.1 == found.0 else { throw BenchError("at(time) found \(found)") }
        let later = StoreWorkload.time(epoch + 1) + .milliseconds(500)
        diff.append(try timed { found.0 = try reader.changes(from: time, to: later).count } * 1e3)
        plainDiff.append(try timed { found.1 = try plain.changes(from: time, to: later).count } * 1e3)
        guard found.0 == found.1, found.0 == workload.changes else { throw BenchError("the difference found \(found)") }
        log.append(try timed { found.0 = try reader.log(from: StoreWorkload.time(0), to: time, limit: 100).count } * 1e3)
        guard found.0 == 100 else { throw BenchError("the log has \(found.0) entries") }
        let key = workload.key(round * 131 % workload.entities)
        history.append(try timed { found.0 = try reader.history(of: key).count } * 1e3)
        plainHistory.append(try timed { found.1 = try plain.history(of: key) } * 1e3)
        guard found.0 == found.1 else { throw BenchError("the history of \(key) has \(found) versions") }
    }
    results.add("\(prefix)_at_ms", at, .atMost(100), reference: median(plainAt))
    results.add("\(prefix)_diff_ms", diff, .atMost(50), reference: median(plainDiff))
    results.add("\(prefix)_log_of_100_ms", log)
    results.add("\(prefix)_history_ms", history, reference: median(plainHistory))
}
