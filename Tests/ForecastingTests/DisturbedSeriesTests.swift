import Forecasting
import Testing

/// What goes wrong with a series on its way to the store, in a history of two weeks of quarter hours with a daily pattern.
@Suite struct DisturbedSeriesTests {
    private static let day = 96
    private static let steps = 96

    /// A change to the history, which ends at `end`; what comes after it is shifted in time by `shift` samples.
    struct Disturbance: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// How much larger the error may be than that without it.
        var factor: Float
        /// The least share that the 90 % interval holds.
        var held = 0.84
        /// Samples by which the pattern comes earlier from the place `shiftedFrom` on.
        var shift = 0
        var shiftedFrom = 0
        var change: @Sendable (inout [Float]) -> Void = { _ in }
    }

    private static let disturbances = [
        Disturbance(testDescription: "a clock step of a quarter of an hour", factor: 1.15, shift: 1, shiftedFrom: 96 * 11),
        Disturbance(testDescription: "daylight saving a week ago", factor: 1.15, shift: 4, shiftedFrom: 96 * 7),
        Disturbance(testDescription: "daylight saving three days ago", factor: 1.4, shift: 4, shiftedFrom: 96 * 11),
        Disturbance(testDescription: "the end of daylight saving three days ago", factor: 1.4, shift: -4, shiftedFrom: 96 * 11),
        Disturbance(testDescription: "a clock step of three hours five days ago", factor: 2, shift: 12, shiftedFrom: 96 * 9),
        Disturbance(testDescription: "the agent was away for a night", factor: 1.1) { values in
            for index in (96 * 12 + 60)..<(96 * 13) { values[index] = .nan }
        },
        Disturbance(testDescription: "the agent was away for three days", factor: 1.15) { values in
            for index in (96 * 8)..<(96 * 11) { values[index] = .nan }
        },
        Disturbance(testDescription: "the agent restarted every night and in the last hour", factor: 1.1) { values in
            for index in values.indices where index % 96 < 3 || index >= values.count - 4 { values[index] = .nan }
        },
        Disturbance(testDescription: "one absurd value yesterday", factor: 1.05) { $0[$0.count - 50] = 4e9 },
        Disturbance(testDescription: "an absurd value is the last", factor: 1.15) { $0[$0.count - 1] = 1.8e19 },
        Disturbance(testDescription: "a counter that went back", factor: 1.05) { $0[$0.count - 200] = -4e9 },
        Disturbance(testDescription: "two resets", factor: 1.05) { values in
            values[96 * 5 + 7] = 3e12
            values[96 * 5 + 8] = -1
            values[96 * 11] = 6e9
        },
        Disturbance(testDescription: "an hour of nothing yesterday", factor: 1.5) { values in
            for index in (values.count - 70)..<(values.count - 66) { values[index] = 0 }
        },
    ]

    @Test(arguments: disturbances) func `The forecast stays as good as it can be`(_ disturbance: Disturbance) throws {
        var plain: Float = 0
        var disturbed: Float = 0
        var held = 0.0
        let seeds = 1...10 as ClosedRange<UInt64>
        for seed in seeds {
            var series = GeneratedSeries(seed: 40 + seed)
            let end = Self.day * 14
            // Twelve samples at both ends to shift into.
            let long = series.daily(end + Self.steps + 24, day: Self.day, noise: 5)
            let usual = Array(long[12..<(12 + end + Self.steps)])
            let forecastPlain = try forecast(Array(usual.prefix(end)))
            plain += error(forecastPlain, usual.suffix(Self.steps))
            var all = usual
            if disturbance.shift != 0 {
                for index in disturbance.shiftedFrom..<all.count { all[index] = long[12 + index + disturbance.shift] }
            }
            var history = Array(all.prefix(end))
            disturbance.change(&history)
            let forecast = try forecast(history)
            disturbed += error(forecast, all.suffix(Self.steps))
            held += coverage(forecast, all.suffix(Self.steps))
        }
        #expect(disturbed <= disturbance.factor * plain, "\(disturbed / plain) times the error")
        #expect(held / Double(seeds.count) >= disturbance.held, "the interval holds \(held / Double(seeds.count))")
    }

    @Test(arguments: [1, 3, 8, 20]) func `Values from nowhere never make a forecast of no numbers`(count: Int) throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            var series = GeneratedSeries(seed: 70 + seed)
            var values = series.daily(Self.day * 9, day: Self.day)
            for _ in 0..<count {
                let place = Int.random(in: values.indices, using: &series.random)
                values[place] = [3e12, -1, 6e9, .nan, 1e38, -1e38, 0, 1e-38, .infinity].randomElement(using: &series.random)!
            }
            let forecast = try forecast(values)
            let finite = forecast.quantiles.allSatisfy { $0.isFinite }
            #expect(finite, "seed \(seed)")
            for step in 1...Self.steps { for level in 1...10 { #expect(forecast[step, level - 1] <= forecast[step, level]) } }
        }
    }

    @Test func `A backup every night is no reset, whatever its size`() throws {
        var series = GeneratedSeries(seed: 90)
        var values = series.daily(Self.day * 15, day: Self.day)
        for index in values.indices where (12..<16).contains(index % Self.day) { values[index] = 40_000 }
        let forecast = try forecast(Array(values.prefix(Self.day * 14)))
        #expect((20_000...80_000).contains(forecast[15, Forecast.median]))
        #expect(forecast[40, Forecast.median] < 400)
    }

    private func forecast(_ values: [Float]) throws -> Forecast {
        try ForecastModel(fitting: values, stepSeconds: 900, horizon: Self.steps).forecast(after: values)
    }
}
