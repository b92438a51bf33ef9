import NetworkTypes
import Storage
import TestSupport
import Testing
import Topology

/// Random histories against a model that keeps everything: a picture of each epoch, and every sample.
@Suite struct RandomHistoryTests {
    @Test(arguments: StoreKind.allCases, [UInt64(1), 2, 3, 4]) func aStoreAnswersAsOneThatKeepsEverything(_ kind: StoreKind, _ seed: UInt64)
        async throws
    {
        try await withStore(kind) { site in
            var random = SplitMix64(seed: seed)
            var store = try site.open(.ageless)
            var model = Model()
            for round in 0..<500 {
                let epoch = model.next(&random)
                try store.append(epoch)
                model.take(epoch)
                if random.once(in: 40) { store = try site.open(.ageless) }
                if random.once(in: 60) { try store.maintain(now: model.epochs.last!.time) }
                if round % 20 == 19 { try compare(store, model, &random, "seed \(seed), round \(round)") }
            }
            try compare(site.reader(), model, &random, "seed \(seed), in the end")
        }
    }

    private func compare(_ store: some HistoryReading, _ model: Model, _ random: inout SplitMix64, _ moment: Comment) throws {
        for _ in 0..<4 {
            let (start, end) = (model.time(&random), model.time(&random))
            let found = try Dictionary(uniqueKeysWithValues: store.entities(at: start).map { ($0.key, $0.state) })
            #expect(found == model.picture(start), moment)
            let (before, after) = (model.picture(start), model.picture(end))
            let wanted = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
                .map { EntityDifference(key: $0, before: before[$0], after: after[$0]) }
            let differences = try store.changes(from: start, to: end)
            #expect(differences.count == wanted.count && Set(differences) == Set(wanted), moment)
            let limit = Int.random(in: 1...400, using: &random)
            #expect(try store.log(from: start, to: end, limit: limit) == model.log(start, end).suffix(limit), moment)
        }
        let key = random.pick(model.keys)
        #expect(try store.history(of: key) == model.history(key), moment)
        for resolution in SeriesResolution.allCases {
            let key = random.pick(model.series)
            let (one, other) = (model.time(&random), model.time(&random))
            let (start, end) = (min(one, other), max(one, other))
            #expect(
                try store.points(of: key, from: start, to: end, resolution: resolution) == model.points(key, start, end, resolution), moment
            )
        }
    }
}

/// The plainest store there can be.
private struct Model {
    let keys = (0..<60).map { "host/\($0 % 7)/entity/\($0)" }
    let series = (0..<300).map { "series/\($0)" }
    var epochs: [(time: Timestamp, picture: [String: [UInt8]])] = []
    var samples: [String: [(time: Timestamp, value: SeriesValue)]] = [:]
    private var number: UInt64 = 0
    private var serial = 0

    mutating func next(_ random: inout SplitMix64) -> StoredEpoch {
        number += UInt64.random(in: 1...3, using: &random)
        let steps: [Int64] = [
            0, 1, 1_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000, 20_000_000_000, 400_000_000_000, 9_000_000_000_000,
        ]
        let last = epochs.last?.time ?? Timestamp(nanoseconds: 1_700_000_000_123_456_789)
        let time = Timestamp(nanoseconds: last.nanoseconds + random.pick(steps))
        let changes = (0..<Int.random(in: 0...60, using: &random)).map { _ -> EntityChange in
            serial += 1
            let state: [UInt8]? =
                switch UInt64.random(in: 0..<8, using: &random) {
                case 0: nil
                case 1, 2: random.bytes(Int.random(in: 0...40, using: &random))
                case 3: bytes("state \(serial)")
                default: [UInt8.random(in: 0..<5, using: &random)]
                }
            return EntityChange(key: random.pick(keys), state: state)
        }
        let samples = (0..<Int.random(in: 0...40, using: &random)).map { _ -> SeriesSample in
            let index = Int.random(in: 0..<series.count, using: &random)
            // Sixteenths add up without rounding in any order.
            let value: SeriesValue =
                index % 3 == 0
                ? .gauge(Double(Int.random(in: -1000...1000, using: &random)) / 16)
                : .counter(UInt64.random(in: 0...(random.once(in: 9) ? 1 << 40 : 99), using: &random))
            return SeriesSample(key: series[index], value: value)
        }
        return StoredEpoch(number: number, time: time, changes: changes, samples: samples, resumes: random.once(in: 50))
    }

    mutating func take(_ epoch: StoredEpoch) {
        var picture = epoch.resumes ? [:] : epochs.last?.picture ?? [:]
        for change in epoch.changes { picture[change.key] = change.state }
        epochs.append((epoch.time, picture))
        for sample in epoch.samples { samples[sample.key, default: []].append((epoch.time, sample.value)) }
    }

    /// That of an epoch, or one beside it.
    func time(_ random: inout SplitMix64) -> Timestamp {
        Timestamp(nanoseconds: random.pick(epochs).time.nanoseconds + random.pick([0, 0, -1, 1, 500_000_000, -700_000_000_000]))
    }

    func picture(_ time: Timestamp) -> [String: [UInt8]] { epochs.last { $0.time <= time }?.picture ?? [:] }

    func log(_ start: Timestamp, _ end: Timestamp) -> [EntityLogEntry] {
        var entries: [EntityLogEntry] = []
        for (index, epoch) in epochs.enumerated() where epoch.time > start && epoch.time <= end {
            guard index + 1 == epochs.count || epochs[index + 1].time > epoch.time else { continue }
            let before = picture(Timestamp(nanoseconds: epoch.time.nanoseconds - 1))
            for key in Set(before.keys).union(epoch.picture.keys).sorted() where before[key] != epoch.picture[key] {
                entries.append(EntityLogEntry(time: epoch.time, key: key, before: before[key], after: epoch.picture[key]))
            }
        }
        return entries
    }

    func history(_ key: String) -> [EntityVersion] {
        var versions: [EntityVersion] = []
        for (index, epoch) in epochs.enumerated() {
            let lasts = index + 1 == epochs.count || epochs[index + 1].time > epoch.time
            guard lasts, let state = epoch.picture[key] else { continue }
            let end = index + 1 < epochs.count ? epochs[index + 1].time : nil
            if let last = versions.last, last.state == state, last.validTo == epoch.time {
                versions[versions.count - 1].validTo = end
            } else {
                versions.append(EntityVersion(validFrom: epoch.time, validTo: end, state: state))
            }
        }
        return versions
    }

    func points(_ key: String, _ start: Timestamp, _ end: Timestamp, _ resolution: SeriesResolution) -> [SeriesPoint] {
        let width = resolution.seconds * 1_000_000_000
        var points: [SeriesPoint] = []
        for (time, value) in samples[key] ?? [] {
            let begin = Timestamp(nanoseconds: time.nanoseconds / width * width)
            guard begin.nanoseconds >= start.nanoseconds / width * width, begin < end else { continue }
            guard let last = points.last, last.start == begin else {
                points.append(SeriesPoint(start: begin, count: 1, sum: value, minimum: value, maximum: value))
                continue
            }
            let sum: SeriesValue
            let (low, high): (SeriesValue, SeriesValue)
            switch (last.sum, last.minimum, last.maximum, value) {
            case (.counter(let total), .counter(let least), .counter(let most), .counter(let value)):
                (sum, low, high) = (.counter(total + value), .counter(min(least, value)), .counter(max(most, value)))
            case (.gauge(let total), .gauge(let least), .gauge(let most), .gauge(let value)):
                (sum, low, high) = (.gauge(total + value), .gauge(min(least, value)), .gauge(max(most, value)))
            default: preconditionFailure("a series of two kinds")
            }
            points[points.count - 1] = SeriesPoint(start: begin, count: last.count + 1, sum: sum, minimum: low, maximum: high)
        }
        return points
    }
}
