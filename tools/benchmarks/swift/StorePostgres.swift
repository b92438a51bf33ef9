import CPostgres
import Glibc
import NetworkTypes
import Storage

/// The same through the same interface into PostgreSQL, on the server that `tools/bench` started for it: plain rows, as a fleet's first step.
func measurePostgres(_ plan: Plan, _ results: Results) throws {
    guard let target = getenv("NILO_BENCH_POSTGRES").map({ String(cString: $0) }) else {
        return results.remark("No PostgreSQL server: postgres was not measured. `tools/bench storage` starts one.")
    }
    let folder = try StoreFolder()
    let ours = try SQLiteStore(path: "\(folder.path)/ours")
    let server = try PostgresStore(target, tenant: "topology")
    var workload = StoreWorkload()
    let epochs = plan.isThorough ? 20 : 5
    var rates: [Double] = []
    var oursRates: [Double] = []
    for number in 1...epochs {
        let epoch = workload.epoch(number)
        rates.append(Double(epoch.changes.count) / (try timed { try server.append(epoch) }))
        oursRates.append(Double(epoch.changes.count) / (try timed { try ours.append(epoch) }))
    }
    results.add("postgres_changes_per_s", rates, reference: median(oursRates))
    let versions = Double(epochs * workload.entities)
    results.add("postgres_bytes_per_version", try size(target, "nilo_version") / versions, reference: folder.size("ours") / versions)
    var (at, oursAt, diff, oursDiff): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
    for round in 0..<plan.rounds {
        let time = StoreWorkload.time(2 + round % (epochs - 2))
        let before = StoreWorkload.time(1 + round % (epochs - 2))
        var counts = (0, 0)
        at.append(try timed { counts.0 = try server.entities(at: time).count } * 1e3)
        oursAt.append(try timed { counts.1 = try ours.entities(at: time).count } * 1e3)
        guard counts.0 == counts.1, counts.0 == workload.entities else { throw BenchError("the stores found \(counts) entities") }
        diff.append(try timed { counts.0 = try server.changes(from: before, to: time).count } * 1e3)
        oursDiff.append(try timed { counts.1 = try ours.changes(from: before, to: time).count } * 1e3)
        guard counts.0 == counts.1 else { throw BenchError("the stores found \(counts) differences") }
    }
    results.add("postgres_at_ms", at, reference: median(oursAt))
    results.add("postgres_diff_ms", diff, reference: median(oursDiff))

    let seconds = plan.isThorough ? 120 : 30
    var series = SeriesWorkload(series: 2_000)
    var (busy, oursBusy) = (0.0, 0.0)
    let samplesServer = try PostgresStore(target, tenant: "series")
    let samplesOurs = try SQLiteStore(path: "\(folder.path)/new")
    for second in 1...seconds {
        let epoch = StoredEpoch(number: UInt64(second), time: StoreWorkload.time(second), samples: series.samples())
        busy += try timed { try samplesServer.append(epoch) }
        oursBusy += try timed { try samplesOurs.append(epoch) }
    }
    let count = Double(seconds * 2_000)
    results.add("postgres_samples_per_s", count / busy, reference: count / oursBusy)
    results.add("postgres_bytes_per_sample", try size(target, "nilo_counter") / count)
}

/// Bytes of a table with its indices.
private func size(_ target: String, _ table: String) throws -> Double {
    let connection = PQconnectdb(target)
    defer { PQfinish(connection) }
    let result = PQexec(connection, "SELECT pg_total_relation_size('\(table)')")
    defer { PQclear(result) }
    guard PQresultStatus(result) == PGRES_TUPLES_OK, let size = Double(String(cString: PQgetvalue(result, 0, 0))) else {
        throw BenchError("the size of \(table): \(String(cString: PQerrorMessage(connection)))")
    }
    return size
}
