import Storage
import Topology

/// What a series is called in the store: what is counted of a thing, and the thing's key.
struct SeriesKey: Hashable, Sendable {
    enum Measure: String, CaseIterable, Sendable {
        case bits, packets
        /// Of the host itself: see ``HostGauge``.
        case level

        /// What can be asked of any subject.
        static let allCases = [bits, packets]

        fileprivate var prefix: String {
            switch self {
            case .bits: "bytes"
            case .packets: "packets"
            case .level: "level"
            }
        }
    }

    /// Of all communication, in place of a key.
    static let total = "total"

    var subject: String
    var measure: Measure
    var isBackward: Bool

    /// `bytes>KEY`, `packets<KEY`.
    var text: String { measure.prefix + (isBackward ? "<" : ">") + subject }

    /// nil for what is none of ours.
    init?(_ text: String) {
        guard let sign = text.firstIndex(where: { $0 == "<" || $0 == ">" }) else { return nil }
        switch text[..<sign] {
        case "bytes": measure = .bits
        case "packets": measure = .packets
        case "level": measure = .level
        default: return nil
        }
        isBackward = text[sign] == "<"
        subject = String(text[text.index(after: sign)...])
    }

    init(_ subject: String, _ measure: Measure, isBackward: Bool) {
        self.subject = subject
        self.measure = measure
        self.isBackward = isBackward
    }
}

/// What was measured in a second.
struct MeasuredSecond: Sendable {
    var loads: TrafficLoads
    var host: HostReading

    /// What the store keeps of it: counts of bytes and packets each way, and the levels of the host.
    func samples(_ snapshot: Snapshot) -> [SeriesSample] {
        var samples: [SeriesSample] = []
        loads.forEachSeries(snapshot) { key, count in
            // Nothing of the topology's own is so long, with a word before it or not.
            let text = key.text
            if text.utf8.count <= StoredEpoch.keyLimit { samples.append(SeriesSample(key: text, value: .counter(count))) }
        }
        host.forEachSeries { key, value in
            switch value {
            case .count(let count): samples.append(SeriesSample(key: key.text, value: .counter(count)))
            case .level(let level): samples.append(SeriesSample(key: key.text, value: .gauge(level)))
            }
        }
        return samples
    }
}

extension TrafficLoads {
    /// Links of communication that get series of their own in one second: the busiest. All of them are in the sums.
    static let seriesLinks = 1000

    /// Counts of bytes and packets each way, of what has series.
    func forEachSeries(_ snapshot: Snapshot, _ body: (SeriesKey, UInt64) -> Void) {
        func tell(_ subject: String, _ load: Load) {
            body(SeriesKey(subject, .bits, isBackward: false), load.forwardBytes)
            body(SeriesKey(subject, .bits, isBackward: true), load.backwardBytes)
            body(SeriesKey(subject, .packets, isBackward: false), load.forwardPackets)
            body(SeriesKey(subject, .packets, isBackward: true), load.backwardPackets)
        }
        tell(SeriesKey.total, total)
        for (key, load) in interfaces { tell(key.description, load) }
        for (node, load) in networks { tell(snapshot.key(of: node).description, load) }
        for (node, load) in applications { tell(snapshot.key(of: node).description, load) }
        for (node, load) in busiestServices { tell(snapshot.key(of: node).description, load) }
        for (link, load) in busiestLinks(Self.seriesLinks) { tell(snapshot.key(of: link).description, load) }
    }

    /// Services that get series of their own in one second: the busiest.
    private static let seriesServices = 200

    var busiestServices: ArraySlice<(key: NodeID, value: Load)> {
        services.sorted { ($0.value.bytes, $1.key) > ($1.value.bytes, $0.key) }.prefix(Self.seriesServices)
    }

    /// Most bytes first. Of very many none but the first are put in order.
    func busiestLinks(_ count: Int) -> ArraySlice<(key: LinkID, value: Load)> {
        func isBusier(_ a: (key: LinkID, value: Load), _ b: (key: LinkID, value: Load)) -> Bool {
            (a.value.bytes, b.key) > (b.value.bytes, a.key)
        }
        var busiest: [(key: LinkID, value: Load)] = []
        busiest.reserveCapacity(2 * min(count, links.count))
        // The last of so many that were there: what is less busy is none of the first.
        var least: (key: LinkID, value: Load)?
        for link in links {
            if let least, !isBusier(link, least) { continue }
            busiest.append(link)
            guard busiest.count == 2 * count else { continue }
            busiest.sort(by: isBusier)
            busiest.removeLast(count)
            least = busiest.last
        }
        busiest.sort(by: isBusier)
        return busiest.prefix(count)
    }
}
