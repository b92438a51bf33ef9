/// The last values of a series with its gaps filled, so that every feature can be worked out; what was filled is remembered and not learnt
/// from.
struct GaplessHistory {
    let values: [Double]
    /// Per value; empty if none is missing.
    let isMissing: [Bool]

    /// Takes the last `ForecastModel.historyLimit` values; absurd ones are gaps too. A gap is filled with the values of the day before, or
    /// with the last one before it.
    init(_ series: some Collection<Float>, stepSeconds: Int) throws(ForecastAbstention) {
        var values = series.suffix(ForecastModel.historyLimit).map(Double.init)
        Self.forgetAbsurd(&values)
        if let first = values.firstIndex(where: \.isFinite), first > 0 { values.removeFirst(first) }
        let need = ForecastModel.historyMinimum
        var isMissing: [Bool] = []
        var missing = 0
        for value in values where !value.isFinite { missing += 1 }
        guard values.count - missing >= need else { throw .tooFewValues(have: values.count - missing, need: need) }
        guard missing * 2 <= values.count, values.suffix(need).contains(where: \.isFinite) else {
            throw .tooManyGaps(missing: missing, of: values.count)
        }
        if missing > 0 {
            isMissing = values.map { !$0.isFinite }
            let day = 86_400 / stepSeconds
            for index in values.indices where isMissing[index] {
                // A short gap goes on as it was; a long one like the day before.
                let hour = max(1, day / 24)
                let isLong = day >= 1 && index >= max(day, hour) && isMissing[(index - hour)..<index].allSatisfy { $0 }
                values[index] = isLong ? values[index - day] : values[index - 1]
            }
        }
        self.values = values
        self.isMissing = isMissing
    }

    /// How many absurd values a history may have, per value and at least, and how far they stand apart.
    private static let absurdShare = 0.001
    private static let absurdRatio = 30.0

    /// Makes gaps of what a counter tells that was reset or ran over: a few values that are 30 times as large as the largest of all others,
    /// and a few negative ones where no others are. What comes more often, such as a backup every night, is the series' own.
    private static func forgetAbsurd(_ values: inout [Double]) {
        let most = 1 + Int(Double(values.count) * absurdShare)
        var negative = 0
        // The largest sizes, falling.
        var largest = [Double](repeating: 0, count: most + 1)
        for value in values where value.isFinite {
            if value < 0 { negative += 1 }
            var size = abs(value)
            guard size > largest[most] else { continue }
            for place in largest.indices where size > largest[place] { swap(&size, &largest[place]) }
        }
        if negative > 0, negative <= most {
            for index in values.indices where values[index] < 0 { values[index] = .nan }
        }
        guard let last = (0..<most).last(where: { largest[$0 + 1] > 0 && largest[$0] > absurdRatio * largest[$0 + 1] }) else { return }
        for index in values.indices where abs(values[index]) >= largest[last] { values[index] = .nan }
    }
}
