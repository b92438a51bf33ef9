import NetworkTypes
import Storage

/// Series at one second: ingest with the rolling up that falls due meanwhile, bytes for each sample with all four resolutions kept, queries.
func measureSeriesHistory(_ plan: Plan, _ results: Results) throws {
    let folder = try StoreFolder()
    let seconds = plan.isThorough ? 2400 : 300
    let perEpoch = 2_000
    var workload = SeriesWorkload(series: perEpoch)
    var ours: SQLiteStore? = try SQLiteStore(path: "\(folder.path)/ours", limits: StorageLimits(size: 8 << 30))
    let plain = try PlainStore("\(folder.path)/plain")
    var busy = 0.0
    var plainBusy = 0.0
    var longest = 0.0
    var sum: Int64 = 0
    for second in 1...seconds {
        let samples = workload.samples()
        if case .counter(let value) = samples[7].value { sum += Int64(value) }
        let epoch = StoredEpoch(number: UInt64(second), time: StoreWorkload.time(second), samples: samples)
        let time = try timed { try ours!.append(epoch) }
        busy += time
        longest = max(longest, time)
        plainBusy += try timed { try plain.append(epoch) }
    }
    let count = Double(seconds * perEpoch)
    ours = nil
    try plain.finish()
    results.add("series_samples_per_s", count / busy, .atLeast(200_000), reference: count / plainBusy)
    results.add("series_longest_append_ms", longest * 1e3)
    results.add("series_bytes_per_sample", folder.size("ours") / count, .atMost(4), reference: folder.size("plain") / count)
    let reader = try SQLiteReader(path: "\(folder.path)/ours")
    let (start, end) = (StoreWorkload.time(0), StoreWorkload.time(seconds + 1))
    var fine: [Double] = []
    var plainFine: [Double] = []
    var coarse: [Double] = []
    for _ in 0..<plan.rounds {
        var points: [SeriesPoint] = []
        var plainSum: Int64 = 0
        fine.append(try timed { points = try reader.points(of: workload.keys[7], from: start, to: end, resolution: .second) } * 1e3)
        plainFine.append(try timed { plainSum = try plain.sum(of: workload.keys[7], from: start, to: end).sum } * 1e3)
        guard points.count == seconds, total(points) == sum, plainSum == sum else {
            throw BenchError("the series has \(points.count) points")
        }
        coarse.append(try timed { points = try reader.points(of: workload.keys[7], from: start, to: end, resolution: .minute) } * 1e3)
        guard total(points) == sum else { throw BenchError("the minutes of the series do not add up") }
    }
    results.add("series_query_1s_ms", fine, reference: median(plainFine))
    results.add("series_query_1min_ms", coarse)

    // As many as an agent could ever have at once: an epoch each second of 200,000 series.
    guard plan.isThorough else { return }
    let wide = try SQLiteStore(path: "\(folder.path)/new", limits: StorageLimits(size: 8 << 30))
    var many = SeriesWorkload(series: 200_000)
    var rates: [Double] = []
    for second in 1...130 {
        let epoch = StoredEpoch(number: UInt64(second), time: StoreWorkload.time(second), samples: many.samples())
        let time = try timed { try wide.append(epoch) }
        // The first one also names the series.
        if second > 1 { rates.append(200_000 / time) }
    }
    results.add("series_wide_samples_per_s", rates, .atLeast(200_000))
}

private func total(_ points: [SeriesPoint]) -> Int64 {
    points.reduce(0) { sum, point in if case .counter(let value) = point.sum { sum + Int64(value) } else { sum } }
}
