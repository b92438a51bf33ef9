import Forecasting
import TestSupport
import Testing

@testable import Foresight

struct ForecastRecordTests {
    /// One that knows: a series of a sine and noise, fitted.
    private static func values(_ count: Int, seed: UInt64 = 1) -> [Float] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { Float(100 + 30 * sine(Double($0) / 288) + Double.random(in: -5...5, using: &random)) }
    }

    private static func sine(_ days: Double) -> Double {
        // Bhaskara's approximation: the standard library has none.
        let half = (days - days.rounded(.down)) * 2
        let x = half < 1 ? half : half - 1
        let value = 16 * x * (1 - x) / (5 - 4 * x * (1 - x))
        return half < 1 ? value : -value
    }

    @Test func scoresAreThoseOfWhatCame() throws {
        let values = Self.values(600)
        let forecast = try ForecastModel(fitting: values, stepSeconds: 300, horizon: 12).forecast(after: values)
        var record = ForecastRecord()
        let last: Int64 = 1_000_003
        record.keep(forecast, after: last) { _ in 90 }
        #expect(record.waiting.map(\.target) == [last + 1, last + 12], "leads of one step and an hour")
        record.settle(last + 1, 120)
        let score = try #require(record.scores(until: last + 1).first)
        #expect(score.count == 1 && score.naiveError == 30)
        #expect(score.absoluteError == abs(120 - Double(forecast[1, Forecast.median])))
        #expect(score.within90 == (forecast[1, 0] <= 120 && 120 <= forecast[1, 10] ? 1 : 0))
        var loss = 0.0
        for level in 1...9 {
            let (quantile, tau) = (Double(forecast[1, level]), Forecast.levels[level])
            loss += 2 * (120 >= quantile ? tau * (120 - quantile) : (1 - tau) * (quantile - 120)) / 9
        }
        #expect(abs(score.loss - loss) < 1e-9)
        // What was not measured is neither good nor bad.
        record.settle(last + 12, .nan)
        #expect(record.scores(until: last + 12)[1].count == 0 && record.waiting.isEmpty)
        #expect(record.bands[0].map(\.index) == [last + 12])
    }

    /// A forecaster that is right is told so, over a week and no longer.
    @Test func aWeekIsLookedBackOn() throws {
        let values = Self.values(4032)
        let model = try ForecastModel(fitting: values[..<2880], stepSeconds: 300, horizon: 288)
        var record = ForecastRecord()
        for now in 2880..<4032 {
            record.settle(Int64(now), values[now])
            let forecast = try model.forecast(after: values[...now], steps: ForecastRecord.steps(after: Int64(now)))
            record.keep(forecast, after: Int64(now)) { values[Int($0) - 288] }
        }
        let scores = record.scores(until: 4031)
        for (lead, score) in zip(ForecastRecord.leads, scores) {
            let share = Double(score.within90) / Double(score.count)
            #expect(lead > 12 || (0.8...0.98).contains(share), "\(lead): \(share) of \(score.count)")
            #expect(score.absoluteError < score.naiveError && score.loss < score.absoluteError, "\(lead): \(score)")
        }
        #expect(scores[0].count == 1151 && scores[3].count == (4032 - 2880 - 288) / 12)
        #expect(record.scores(until: 4031 + 7 * 288).allSatisfy { $0.count == 0 })
        #expect(record.bands[0].count == 288 && record.bands[1].count == 24)
        #expect(record.waiting.count == 1 + 12 + 6 + 24 && record.bytes < 16_000)
        #expect(try #require(ForecastRecord(record.encoded)) == record)
    }

    @Test func whatIsNoRecordIsRefused() throws {
        let values = Self.values(600)
        var record = ForecastRecord()
        record.keep(try ForecastModel(fitting: values, stepSeconds: 300, horizon: 12).forecast(after: values), after: 7) { _ in 1 }
        record.settle(8, 100)
        let encoded = record.encoded
        #expect(ForecastRecord(encoded) == record && ForecastRecord([]) == nil && ForecastRecord([2]) == nil)
        for count in 0..<encoded.count { #expect(ForecastRecord(Array(encoded[..<count])) == nil, "\(count)") }
        #expect(ForecastRecord(encoded + [0]) == nil)
        var random = SplitMix64(seed: 5)
        for _ in 0..<200 {
            var broken = encoded
            broken[Int.random(in: 0..<broken.count, using: &random)] = [.nan, -1, 1e308, 0.5, .infinity].randomElement(using: &random)!
            // Whatever it says, nothing is torn down by it.
            if let read = ForecastRecord(broken) { _ = read.scores(until: 100) }
        }
    }

    @Test func aClockThatWasSetBackForgetsWhatIsFarAhead() throws {
        let values = Self.values(600)
        let forecast = try ForecastModel(fitting: values, stepSeconds: 300, horizon: 12).forecast(after: values)
        var record = ForecastRecord()
        record.keep(forecast, after: 10_000) { _ in 1 }
        record.forget(after: 9000)
        #expect(record.waiting.isEmpty)
    }
}
