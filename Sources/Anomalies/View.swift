/// The statistics that are watched of each series. Each has a tail model of its own; high means unusual.
enum View: Int, CaseIterable, Sendable {
    /// The context of the last 36 values, and of the last 64, is unlike any before.
    case novelShort, novelLong
    /// The value against the mean of the series.
    case above, below
    /// The value, and the mean of the last 12, against the same hour.
    case aboveHour, belowHour, meanAboveHour, meanBelowHour
    /// The standard deviation of the last 12, 48 and 144 values.
    case spread12, spread48, spread144
    /// The mean of the last 24 values against the 24 before them, by their own spread.
    case shiftUp, shiftDown
}
