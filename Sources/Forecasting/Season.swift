/// The calendar of a series, in samples.
struct Season: Hashable, Sendable {
    /// Samples a day, at least 2; 0 if the history holds less than a day and a half, or the steps are too long.
    var day: Int
    /// Samples a week; 0 if the history holds less than eight days.
    var week: Int

    var isDaily: Bool { day > 0 }
    var isWeekly: Bool { week > 0 }

    init(stepSeconds: Int, count: Int) {
        let samples = (86_400 + stepSeconds / 2) / max(1, stepSeconds)
        day = samples >= 4 && count >= samples + samples / 2 ? samples : 0
        week = day > 0 && count >= 8 * samples ? 7 * samples : 0
    }
}
