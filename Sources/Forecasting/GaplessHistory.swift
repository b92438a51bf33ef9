/// The last values of a series with its gaps filled, so that every feature can be worked out; what was filled is remembered and not learnt
/// from.
struct GaplessHistory {
    let values: [Double]
    /// Per value; empty if none is missing.
    let isMissing: [Bool]

    /// Takes the last `ForecastModel.historyLimit` values. A gap is filled with the values of the day before, or with the last one before
    /// it.
    init(_ series: some Collection<Float>, stepSeconds: Int) throws(ForecastAbstention) {
        var values = series.suffix(ForecastModel.historyLimit).map(Double.init)
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
}
