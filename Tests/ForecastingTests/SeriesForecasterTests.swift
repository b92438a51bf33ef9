import Forecasting
import Testing

@Suite struct SeriesForecasterTests {
    @Test func `The last 4,032 values are kept, in order`() {
        var forecaster = SeriesForecaster(stepSeconds: 300)
        for index in 0..<5_000 { forecaster.append(Float(index)) }
        #expect(forecaster.values == (968..<5_000).map(Float.init))
    }

    @Test func `A forecast right after the fit is that of the model, and one later goes on from the new values`() throws {
        var series = GeneratedSeries(seed: 11)
        let values = series.daily(96 * 15, day: 96, noise: 2)
        var forecaster = SeriesForecaster(stepSeconds: 900)
        for value in values.prefix(96 * 13) { forecaster.append(value) }
        #expect(throws: ForecastAbstention.self) { try forecaster.forecast() }
        try forecaster.refit(horizon: 96)
        let model = try ForecastModel(fitting: values.prefix(96 * 13), stepSeconds: 900, horizon: 96)
        #expect(try forecaster.forecast() == model.forecast(after: values.prefix(96 * 13)))
        for value in values[(96 * 13)..<(96 * 13 + 40)] { forecaster.append(value) }
        #expect(forecaster.valuesSinceFit == 40)
        let later = try forecaster.forecast(steps: 48)
        #expect(later.steps == 48)
        #expect(error(later, values[(96 * 13 + 40)..<(96 * 13 + 88)]) < 3)
    }

    @Test func `A fit that fails leaves the earlier one`() throws {
        var forecaster = SeriesForecaster(stepSeconds: 300)
        for index in 0..<60 { forecaster.append(Float(index % 5)) }
        try forecaster.refit(horizon: 6)
        #expect(throws: ForecastAbstention.self) { try forecaster.refit(horizon: 500) }
        #expect(forecaster.model?.horizon == 6)
    }
}
