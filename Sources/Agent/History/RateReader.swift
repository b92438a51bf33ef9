import NetworkTypes
import Reports
import Storage
import Topology

/// Rates of the past out of the store's series.
struct RateReader {
    enum Kind: String, CaseIterable, Sendable { case link, network, application }

    enum Subject: Sendable {
        /// A key, or `total`.
        case one(String)
        case busiest(Kind, Int)

        fileprivate var key: String? { if case .one(let key) = self { key } else { nil } }
    }

    /// A time in steps that the store still has.
    struct Span: Sendable {
        static let longest = 5000
        let from: Timestamp
        let steps: Int
        let seconds: Int
        let resolution: SeriesResolution

        /// - Parameters:
        ///   - step: seconds that are asked for.
        ///   - keeps: how long points of a resolution are kept.
        init(from: Timestamp, to: Timestamp, step: Int, keeps: (SeriesResolution) -> Duration, now: Timestamp = .now) {
            let age = now - from
            let length = max(1, (to - from).components.seconds)
            let least = max(Int64(step), (length + Int64(Self.longest) - 1) / Int64(Self.longest))
            // The coarsest that is fine enough, or the next coarser that reaches so far back.
            let coarsest = SeriesResolution.allCases.last { $0.seconds <= least } ?? .second
            let resolution = SeriesResolution.allCases.first { $0 >= coarsest && keeps($0) >= age } ?? .hour
            let seconds = (least + resolution.seconds - 1) / resolution.seconds * resolution.seconds
            self.init(from: from, to: to, seconds: seconds, resolution: resolution)
        }

        /// In steps of a resolution.
        init(from: Timestamp, to: Timestamp, _ resolution: SeriesResolution) {
            self.init(from: from, to: to, seconds: resolution.seconds, resolution: resolution)
        }

        private init(from: Timestamp, to: Timestamp, seconds: Int64, resolution: SeriesResolution) {
            let start = from.nanoseconds / 1_000_000_000 / seconds * seconds
            let end = (to.nanoseconds / 1_000_000_000 + seconds) / seconds * seconds
            self.from = Timestamp(nanoseconds: start * 1_000_000_000)
            self.seconds = Int(seconds)
            self.resolution = resolution
            steps = Int((end - start) / seconds)
        }

        var to: Timestamp { Timestamp(nanoseconds: from.nanoseconds + Int64(steps * seconds) * 1_000_000_000) }

        func step(of point: SeriesPoint) -> Int? { step(of: point.second) }

        /// - Parameter second: since 1970.
        func step(of second: Int64) -> Int? {
            let index = (second - from.nanoseconds / 1_000_000_000) / Int64(seconds)
            return second >= from.nanoseconds / 1_000_000_000 && index < steps ? Int(index) : nil
        }
    }

    private let reader: HistoryReader

    init(_ reader: HistoryReader) { self.reader = reader }

    // MARK: Series

    func list(of subject: Subject, _ span: Span, _ asked: SeriesKey.Measure, network: NetworkKey?, _ snapshot: Snapshot) throws
        -> SeriesListReport
    {
        var measure = asked
        if case .one(let key) = subject, let gauge = HostGauge(rawValue: key) { measure = gauge.isCounter ? .bits : .level }
        // All communication is told of every second: where it is not, nothing was measured.
        var seconds = try measured(span)
        var found: [SeriesListReport.SeriesReport] = []
        switch subject {
        case .one(let key):
            guard key == SeriesKey.total || HostGauge(rawValue: key) != nil || EntityKey(key) != nil else {
                throw TopologyRefusal(
                    status: 404, error: "no series of \(key)",
                    hint: "keys are those of /v1/topology, total, \(HostGauge.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            if let series = try series(of: key, span, measure, &seconds, snapshot) { found = [series] }
        case .busiest(let kind, let top):
            var all: [(series: SeriesListReport.SeriesReport, sum: Double)] = []
            for key in try keptSubjects(measure) where Self.is(key, of: kind, in: network) {
                guard let series = try series(of: key, span, measure, &seconds, snapshot) else { continue }
                let sum = (series.values + (series.reverse ?? [])).reduce(0) { $0 + ($1 ?? 0) }
                if sum > 0 { all.append((series, sum)) }
            }
            all.sort { ($0.sum, $1.series.key) > ($1.sum, $0.series.key) }
            found = all.prefix(top).map(\.series)
        }
        let example = SeriesKey(subject.key ?? SeriesKey.total, measure, isBackward: false)
        return SeriesListReport(
            from: span.from, to: span.to, stepSeconds: span.seconds, measure: measure.rawValue, unit: example.unit, series: found)
    }

    /// Communication is told of by its network and application; `link` means what it goes over.
    private static func `is`(_ key: String, of kind: Kind, in network: NetworkKey?) -> Bool {
        switch (EntityKey(key), kind) {
        case (.link(let link)?, .link):
            guard link.kind != .talks else { return false }
            return network.map { [link.a.parent, link.b.parent].contains(.network($0)) } ?? true
        case (.node(.network(let key))?, .network): return key.isVirtual && (network.map { $0 == key } ?? true)
        case (.node(.application)?, .application): return true
        default: return false
        }
    }

    /// nil where the store has nothing of it.
    private func series(
        of key: String, _ span: Span, _ measure: SeriesKey.Measure, _ seconds: inout Measured, _ snapshot: Snapshot
    ) throws -> SeriesListReport.SeriesReport? {
        var forward: [SeriesPoint]
        var backward: [SeriesPoint]
        // A second that is stored in between would be in the sums, and not in what they are divided by.
        var tries = 3
        repeat {
            forward = try points(SeriesKey(key, measure, isBackward: false), span)
            backward = try points(SeriesKey(key, measure, isBackward: true), span)
            let before = seconds
            seconds = try measured(span)
            tries = seconds == before ? 0 : tries - 1
        } while tries > 0
        if forward.isEmpty && backward.isEmpty { return nil }
        func rates(_ points: [SeriesPoint]) -> [Double?] {
            var sums: [Int: Double] = [:]
            for (second, total) in seconds.late.even(points) {
                if let step = span.step(of: second) { sums[step, default: 0] += total }
            }
            let factor = SeriesKey(key, measure, isBackward: false).factor
            return (0..<span.steps).map { step in seconds.counts[step].map { (sums[step] ?? 0) * factor / Double($0) } }
        }
        if measure == .level {
            var sums: [Int: (sum: Double, count: UInt64)] = [:]
            for point in forward {
                guard let step = span.step(of: point) else { continue }
                sums[step, default: (0, 0)].sum += point.total
                sums[step]?.count += point.count
            }
            let means = (0..<span.steps).map { sums[$0].map { $0.sum / Double($0.count) } }
            return .init(key: key, kind: "host", name: SeriesKey(key, measure, isBackward: false).name, values: means)
        }
        var (kind, name, capacity): (String, String, Double?) = ("total", "all traffic", nil)
        if HostGauge(rawValue: key) != nil { (kind, name) = ("host", SeriesKey(key, measure, isBackward: false).name) }
        switch EntityKey(key) {
        case .node(let node)?:
            kind = node.kind == .network ? "network" : node.kind == .application ? "application" : "entity"
            name = node.qualifiedName
        case .link(let link)?:
            kind = "link"
            name = link.title
            if let id = snapshot.id(of: link), case .wire(let wire) = snapshot.state(of: id), let bits = wire.capacity, bits > 0 {
                capacity = Double(bits)
            }
        case nil: break
        }
        return .init(key: key, kind: kind, name: name, values: rates(forward), reverse: rates(backward), capacity: capacity)
    }

    /// What the store has series of.
    private func keptSubjects(_ measure: SeriesKey.Measure) throws -> Set<String> {
        let keys = try reader.ask { (reading) throws(StorageError) in try reading.series() }.compactMap { SeriesKey($0.key) }
        return Set(keys.lazy.filter { $0.measure == measure && !$0.isBackward }.map(\.subject))
    }

    func points(_ key: SeriesKey, _ span: Span) throws -> [SeriesPoint] {
        try reader.ask { (reading) throws(StorageError) in
            try reading.points(of: key.text, from: span.from, to: span.to, resolution: span.resolution)
        }
    }

    /// When anything was measured.
    private struct Measured: Equatable {
        /// Seconds of each step.
        var counts: [Int: UInt64]
        var late: LateReadings
    }

    private func measured(_ span: Span) throws -> Measured {
        guard span.resolution == .second else { return Measured(counts: try counts(SeriesKey.total, span), late: LateReadings([])) }
        let seconds = try points(SeriesKey(SeriesKey.total, .bits, isBackward: false), span).map(\.second)
        let late = LateReadings(seconds)
        var counts: [Int: UInt64] = [:]
        for second in late.measured(seconds) { if let step = span.step(of: second) { counts[step, default: 0] += 1 } }
        return Measured(counts: counts, late: late)
    }

    /// How many seconds were measured in each step; none in those that are not there. Where the turn of a second came late, two are in the one
    /// after: no more was measured than the step is long.
    func counts(_ key: String, _ span: Span) throws -> [Int: UInt64] {
        var counts: [Int: UInt64] = [:]
        for point in try points(SeriesKey(key, .bits, isBackward: false), span) {
            if let step = span.step(of: point) { counts[step, default: 0] += point.count }
        }
        return counts.mapValues { min($0, UInt64(span.seconds)) }
    }

    // MARK: Moments

    /// Seconds around a moment that its rates are of.
    private static let around: Int64 = 30
    /// Links that are looked up for one answer at most.
    static let most = 2000

    /// What links carried around a moment, bit/s, forward and backward together.
    private func levels(_ links: [LinkKey], around time: Timestamp) throws -> [LinkKey: TopologyDifferenceReport.Shift.Level] {
        let from = Timestamp(nanoseconds: time.nanoseconds - Self.around * 1_000_000_000)
        let to = Timestamp(nanoseconds: time.nanoseconds + Self.around * 1_000_000_000)
        for resolution in SeriesResolution.allCases {
            let span = Span(from: from, to: to, resolution)
            let seconds = try counts(SeriesKey.total, span)
            if seconds.isEmpty { continue }
            var levels: [LinkKey: TopologyDifferenceReport.Shift.Level] = [:]
            for link in links {
                var sums: [Int: Double] = [:]
                for isBackward in [false, true] {
                    for point in try points(SeriesKey(link.description, .bits, isBackward: isBackward), span) {
                        if let step = span.step(of: point) { sums[step, default: 0] += point.total }
                    }
                }
                levels[link] = .init(seconds.map { (sums[$0.key] ?? 0) * 8 / Double($0.value) })
            }
            return levels
        }
        return [:]
    }

    /// The links whose rate around two moments differs by more than noise.
    func shifts(
        _ from: Timestamp, _ to: Timestamp, before: TopologyTeller, after: TopologyTeller, network: NetworkKey?, layer: TopologyLayer?
    ) throws -> [TopologyDifferenceReport.Shift] {
        let kept = try keptSubjects(.bits)
        var links: [LinkKey] = []
        after.snapshot.forEachLink { link, _, _, _ in
            let key = after.snapshot.key(of: link)
            guard links.count < Self.most, let told = key.told, layer == nil || told.layer == layer, kept.contains(key.description),
                before.snapshot.id(of: key) != nil, network.map({ after.networks(of: link).contains($0) }) ?? true
            else { return }
            links.append(key)
        }
        let (old, new) = (try levels(links, around: from), try levels(links, around: to))
        return links.compactMap { link in
            guard let before = old[link], let after = new[link] else { return nil }
            return TopologyDifferenceReport.Shift(key: link, before: before, after: after)
        }
    }

    /// What the links of a snapshot carried around its moment.
    func loads(_ snapshot: Snapshot) throws -> [LinkKey: LoadReport] {
        let kept = try keptSubjects(.bits)
        var links: [LinkKey] = []
        snapshot.forEachLink { link, _, _, _ in
            let key = snapshot.key(of: link)
            if links.count < Self.most, kept.contains(key.description) { links.append(key) }
        }
        return try rates(links, at: snapshot.time)
    }

    /// Of the second, or the finest step that is kept, in which the moment lies.
    private func rates(_ links: [LinkKey], at time: Timestamp) throws -> [LinkKey: LoadReport] {
        for resolution in SeriesResolution.allCases {
            let span = Span(from: time, to: time, resolution)
            guard let seconds = try counts(SeriesKey.total, span).values.first, seconds > 0 else { continue }
            var loads: [LinkKey: LoadReport] = [:]
            for link in links {
                func rate(_ measure: SeriesKey.Measure, _ isBackward: Bool) throws -> Double {
                    let sum = try points(SeriesKey(link.description, measure, isBackward: isBackward), span).reduce(0) { $0 + $1.total }
                    return sum * (measure == .bits ? 8 : 1) / Double(seconds)
                }
                loads[link] = LoadReport(
                    bitsPerSecond: try rate(.bits, false), packetsPerSecond: try rate(.packets, false),
                    reverseBitsPerSecond: try rate(.bits, true), reversePacketsPerSecond: try rate(.packets, true))
            }
            return loads
        }
        return [:]
    }
}

extension SeriesPoint {
    var mean: Double { total / Double(count) }

    var total: Double {
        switch sum {
        case .counter(let count): Double(count)
        case .gauge(let value): value
        }
    }
}
