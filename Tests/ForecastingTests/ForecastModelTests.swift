import Forecasting
import Testing

@Suite struct ForecastModelTests {
    private func forecast(_ values: [Float], step: Int = 300, horizon: Int) throws -> Forecast {
        try ForecastModel(fitting: values, stepSeconds: step, horizon: horizon).forecast(after: values)
    }

    @Test func `The 90 % interval of a daily pattern holds 90 % of what comes`() throws {
        var inside = 0.0
        for seed in 1...12 as ClosedRange<UInt64> {
            var series = GeneratedSeries(seed: seed)
            let values = series.daily(1_200 + 96, day: 96)
            inside += coverage(try forecast(Array(values.dropLast(96)), step: 900, horizon: 96), values.suffix(96))
        }
        #expect((0.87...0.96).contains(inside / 12))
    }

    @Test(arguments: [0.2, 0.9] as [Float]) func `Noise with and without memory is held as well`(memory: Float) throws {
        var inside = 0.0
        for seed in 1...40 as ClosedRange<UInt64> {
            var series = GeneratedSeries(seed: seed)
            let values = series.autoregressive(272, memory: memory, mean: 100)
            inside += coverage(try forecast(Array(values.dropLast(24)), horizon: 24), values.suffix(24))
        }
        #expect((0.83...0.97).contains(inside / 40))
    }

    @Test func `A daily pattern is found to within its noise`() throws {
        var series = GeneratedSeries(seed: 3)
        let values = series.daily(96 * 14, day: 96, noise: 2)
        let forecast = try forecast(Array(values.dropLast(96)), step: 900, horizon: 96)
        #expect(error(forecast, values.suffix(96)) < 2.5)
        #expect(forecast.basis.samplesPerDay == 96)
        #expect(forecast.basis.errorAgainstNaive < 0.9)
    }

    @Test func `Weekends are expected to be weekends`() throws {
        var series = GeneratedSeries(seed: 4)
        // Ends after a Friday.
        let values = series.daily(24 * 42, day: 24, noise: 2, weekend: 0.3)
        let past = Array(values[..<(24 * 40)])
        let forecast = try forecast(past, step: 3_600, horizon: 24)
        #expect(error(forecast, values[(24 * 40)..<(24 * 41)]) < 6)
        #expect(forecast.basis.weeklyShare > 0.7)
    }

    @Test func `A day that is short of samples is followed`() throws {
        var series = GeneratedSeries(seed: 5)
        // Half an hour is lost every day.
        let all = series.daily(48 * 60, day: 48, noise: 2)
        let values = all.indices.filter { $0 % 48 != 20 }.map { all[$0] }
        let forecast = try forecast(Array(values.dropLast(48)), step: 1_800, horizon: 48)
        #expect(error(forecast, values.suffix(48)) < 5)
        #expect(forecast.basis.driftingDay.map { abs($0 - 47) < 0.5 } == true)
    }

    @Test func `A new level is taken over`() throws {
        var series = GeneratedSeries(seed: 6)
        var values = series.daily(96 * 13, day: 96, noise: 2)
        for index in (96 * 10)..<values.count { values[index] += 300 }
        let forecast = try forecast(Array(values.dropLast(96)), step: 900, horizon: 96)
        #expect(error(forecast, values.suffix(96)) < 30)
    }

    @Test(arguments: [0, 7, 1e30] as [Float]) func `A constant stays`(value: Float) throws {
        let forecast = try forecast([Float](repeating: value, count: 1_000), horizon: 288)
        #expect(forecast.quantiles.allSatisfy { abs($0 - value) <= 1e-3 * value })
    }

    @Test func `Gaps are neither values nor errors`() throws {
        var series = GeneratedSeries(seed: 7)
        var values = series.daily(96 * 14, day: 96, noise: 2)
        let actual = Array(values.suffix(96))
        values.removeLast(96)
        for index in values.indices where index % 17 == 0 || (500..<620).contains(index) || index % 96 == 5 { values[index] = .nan }
        values[700] = .infinity
        let forecast = try forecast(values, step: 900, horizon: 96)
        #expect(forecast.quantiles.allSatisfy { $0.isFinite })
        #expect(error(forecast, actual) < 4)
        #expect(coverage(forecast, actual) > 0.8)
    }

    @Test(arguments: 0..<9) func `Quantiles never cross and are finite, whatever the series`(kind: Int) throws {
        var series = GeneratedSeries(seed: 100 + UInt64(kind))
        var values = series.autoregressive(900, memory: 0.5, mean: 0)
        switch kind {
        case 0: break
        case 1: values = values.map { $0 * 1e30 }
        case 2: values = values.map { $0 > 1.5 ? 1e6 : 0 }
        case 3: values = values.map { $0 * 1e-30 }
        case 4: values = values.indices.map { Float($0) * 1e3 }
        case 5: values = values.indices.map { $0 < 880 ? 5 : 5_000 }
        case 6: values = values.map { abs($0) > 2.4 ? -1e9 : $0 }
        case 7: values = values.indices.map { $0 % 2 == 0 ? 0 : .greatestFiniteMagnitude }
        default: values = values.indices.map { $0 % 3 == 0 ? 1 : 0 }
        }
        for horizon in [1, 36, 288] {
            let forecast = try forecast(values, horizon: horizon)
            #expect(forecast.steps == horizon)
            #expect(forecast.quantiles.allSatisfy { $0.isFinite })
            for step in 1...horizon { for level in 1...10 { #expect(forecast[step, level - 1] <= forecast[step, level]) } }
        }
    }

    @Test func `Counts do not fall below zero`() throws {
        var series = GeneratedSeries(seed: 8)
        let values = series.autoregressive(600, memory: 0.3, mean: 0).map { max(0, $0) }
        #expect(try forecast(values, horizon: 48).quantiles.allSatisfy { $0 >= 0 })
    }

    @Test func `A cold start is forecast as far as it reaches, and not farther`() throws {
        var series = GeneratedSeries(seed: 9)
        let values = series.autoregressive(40, memory: 0.5, mean: 10)
        #expect(try forecast(values, horizon: 12).steps == 12)
        #expect(throws: ForecastAbstention.horizonTooLong(steps: 288, longest: 31)) { try forecast(values, horizon: 288) }
    }

    @Test func `Seven days of hours are told with their weekend, and held`() throws {
        var inside = 0.0
        for seed in 1...6 as ClosedRange<UInt64> {
            var series = GeneratedSeries(seed: 20 + seed)
            let values = series.daily(24 * 56, day: 24, noise: 5, weekend: 0.3)
            let actual = values[(24 * 48)..<(24 * 55)]
            let forecast = try forecast(Array(values[..<(24 * 48)]), step: 3_600, horizon: 168)
            #expect(error(forecast, actual) < 9)
            inside += coverage(forecast, actual)
        }
        #expect((0.84...0.97).contains(inside / 6))
    }

    @Test func `Steps of 10 s know no day, as their history is one of 11 hours`() throws {
        var inside = 0.0
        for seed in 1...24 as ClosedRange<UInt64> {
            var series = GeneratedSeries(seed: 30 + seed)
            let values = series.autoregressive(ForecastModel.historyLimit + 60, memory: 0.8, mean: 50)
            let forecast = try forecast(Array(values.dropLast(60)), step: 10, horizon: 60)
            #expect(forecast.basis.samplesPerDay == 0)
            inside += coverage(forecast, values.suffix(60))
        }
        #expect((0.84...0.97).contains(inside / 24))
    }

    @Test func `It abstains with the reason`() {
        #expect(throws: ForecastAbstention.tooFewValues(have: 0, need: 24)) { try forecast([], horizon: 1) }
        #expect(throws: ForecastAbstention.tooFewValues(have: 23, need: 24)) { try forecast([Float](repeating: 1, count: 23), horizon: 1) }
        let half = (0..<100).map { $0 % 3 == 0 ? 1 : Float.nan }
        #expect(throws: ForecastAbstention.tooManyGaps(missing: 66, of: 100)) { try forecast(half, horizon: 1) }
        let silent = [Float](repeating: 1, count: 200) + [Float](repeating: .nan, count: 24)
        #expect(throws: ForecastAbstention.tooManyGaps(missing: 24, of: 224)) { try forecast(silent, horizon: 1) }
    }

    @Test func `The same history gives the same forecast`() throws {
        var series = GeneratedSeries(seed: 10)
        let values = series.daily(96 * 9, day: 96)
        #expect(try forecast(values, step: 900, horizon: 96) == forecast(values, step: 900, horizon: 96))
    }
}
