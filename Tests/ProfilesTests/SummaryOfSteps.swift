import Profiles

/// A Monday, 00:00 UTC.
let monday: Int64 = 1_763_942_400

extension SeriesProfile {
    /// Fed with steps that end at `end`.
    init(_ values: [Float], until end: Int64 = monday, calendar: StepCalendar = StepCalendar()) {
        self.init(calendar: calendar)
        for (step, value) in values.enumerated() { append(value, at: end - Int64((values.count - step) * calendar.stepSeconds)) }
    }
}

/// The summary of steps that end at `end`.
func summary(_ values: [Float], until end: Int64 = monday, calendar: StepCalendar = StepCalendar()) -> ProfileSummary {
    SeriesProfile(values, until: end, calendar: calendar).summary(values: Array(values.suffix(4_032)), until: end)
}
