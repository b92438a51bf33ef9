extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-03-01T12:00:00.250Z`. The day is counted with the proleptic Gregorian calendar.
    public var description: String {
        let seconds = nanoseconds.floorDivided(by: 1_000_000_000)
        let milliseconds = (nanoseconds - seconds * 1_000_000_000) / 1_000_000
        let day = seconds.floorDivided(by: 86_400)
        let second = seconds - day * 86_400
        let (year, month, date) = Self.civil(day)
        func pad(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(date, 2))"
            + "T\(pad(second / 3600, 2)):\(pad(second / 60 % 60, 2)):\(pad(second % 60, 2)).\(pad(milliseconds, 3))Z"
    }

    /// Year, month and day of a day number (0 is 1970-01-01). Years start in March, so that the leap day comes last: then a month's start
    /// is a linear function of its number, and eras of 400 years repeat.
    private static func civil(_ day: Int64) -> (Int64, Int64, Int64) {
        let shifted = day + 719_468  // days since 0000-03-01
        let era = shifted.floorDivided(by: 146_097)
        let inEra = shifted - era * 146_097
        let yearOfEra = (inEra - inEra / 1460 + inEra / 36_524 - inEra / 146_096) / 365
        let dayOfYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, date)
    }
}

extension Int64 {
    /// Division that rounds down, also for what is before 1970.
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
