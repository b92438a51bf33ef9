import Foresight

/// How large a change has to be to be worth a word: what is unusual about a trickle moves nobody to look.
struct Materiality {
    /// Of all traffic, both ways, by measure: what is usual.
    private let bits: Double
    private let packets: Double

    init(_ series: (String) -> WatchedSeries?) {
        func usual(_ measure: SeriesKey.Measure) -> Double {
            [false, true].reduce(0) { $0 + (series(SeriesKey(SeriesKey.total, measure, isBackward: $1).text)?.usual ?? 0) }
        }
        bits = usual(.bits)
        packets = usual(.packets)
    }

    /// A hundredth of all that is usual, and no less than what a quiet host has by itself.
    private func least(_ key: SeriesKey, usual: Double) -> Double {
        switch key.unit {
        case "bit/s": max(20e3, 0.01 * bits)
        case "packet/s": max(20, 0.01 * packets)
        case "%": 5
        case "B": max(32e6, 0.01 * usual)
        case "B/s": 1e6
        default: max(10, 0.05 * usual)
        }
    }

    func isEnough(_ member: Incident.Member, _ series: WatchedSeries?) -> Bool {
        guard let key = SeriesKey(member.key) else { return true }
        let usual = series?.usual ?? 0
        return (member.change.map(abs) ?? usual) >= least(key, usual: usual)
    }
}
