import Storage
import Topology

/// What a series is called in the store: what is counted of a thing, and the thing's key.
struct SeriesKey: Hashable, Sendable {
    enum Measure: String, CaseIterable, Sendable { case bits, packets }

    /// Of all communication, in place of a key.
    static let total = "total"

    var subject: String
    var measure: Measure
    var isBackward: Bool

    /// `bytes>KEY`, `packets<KEY`.
    var text: String { (measure == .bits ? "bytes" : "packets") + (isBackward ? "<" : ">") + subject }

    /// nil for what is none of ours.
    init?(_ text: String) {
        guard let sign = text.firstIndex(where: { $0 == "<" || $0 == ">" }) else { return nil }
        switch text[..<sign] {
        case "bytes": measure = .bits
        case "packets": measure = .packets
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

extension TrafficLoads {
    /// Links of communication that get series of their own in one second: the busiest. All of them are in the sums.
    static let seriesLinks = 1000

    /// What the store keeps of them: counts of bytes and packets each way.
    func samples(_ snapshot: Snapshot) -> [SeriesSample] {
        var samples: [SeriesSample] = []
        func add(_ subject: String, _ load: Load) {
            func add(_ measure: SeriesKey.Measure, _ isBackward: Bool, _ value: UInt64) {
                let key = SeriesKey(subject, measure, isBackward: isBackward).text
                // Nothing of the topology's own is so long, with a word before it or not.
                guard key.utf8.count <= StoredEpoch.keyLimit else { return }
                samples.append(SeriesSample(key: key, value: .counter(value)))
            }
            add(.bits, false, load.forwardBytes)
            add(.bits, true, load.backwardBytes)
            add(.packets, false, load.forwardPackets)
            add(.packets, true, load.backwardPackets)
        }
        add(SeriesKey.total, total)
        for (key, load) in interfaces { add(key.description, load) }
        for (node, load) in networks { add(snapshot.key(of: node).description, load) }
        for (node, load) in applications { add(snapshot.key(of: node).description, load) }
        var busiest = links.sorted { ($0.value.bytes, $1.key) > ($1.value.bytes, $0.key) }
        busiest.removeLast(max(0, busiest.count - Self.seriesLinks))
        for (link, load) in busiest { add(snapshot.key(of: link).description, load) }
        return samples
    }
}
