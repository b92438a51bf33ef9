import Forecasting

/// How finely and how far a forecast tells.
public enum ForecastSpan: String, CaseIterable, Hashable, Sendable {
    /// 10 s for 10 minutes, 5 min for a day, 1 h for a week.
    case minutes, day, week
}

extension WatchedSeries {
    /// Seconds of a step.
    public static func step(of span: ForecastSpan, _ clock: StepClock) -> Int {
        switch span {
        case .minutes: clock.short
        case .day: clock.step
        case .week: clock.long
        }
    }

    public func values(of span: ForecastSpan) -> StepValues {
        switch span {
        case .minutes: short
        case .day: values
        case .week: long
        }
    }

    public static func horizon(of span: ForecastSpan) -> Int {
        switch span {
        case .minutes: horizons.short
        case .day: horizons.step
        case .week: horizons.long
        }
    }

    /// The steps after the last whole one. Of a day by the model that is kept, else by one that is fitted now: some milliseconds.
    public func forecast(_ span: ForecastSpan, steps: Int, _ clock: StepClock) throws(ForecastAbstention) -> Forecast {
        let all = values(of: span).all
        if span == .day, let model, steps <= max(model.horizon, Self.horizons.step) {
            return try model.forecast(after: all, steps: min(steps, model.horizon))
        }
        return try ForecastModel(fitting: all, stepSeconds: clock.modelSeconds(Self.step(of: span, clock)), upTo: steps).forecast(
            after: all)
    }
}
