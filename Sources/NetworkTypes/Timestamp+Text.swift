extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with milliseconds: `2026-03-01T12:00:00.250Z`. The day is counted with the proleptic Gregorian calendar.
    public var description: String {
        let seconds = nanoseconds.floorDivided(by: 1_000_000_000)
        // Not the difference to whole seconds: of the first moments that fit, these are before what does.
        let part = nanoseconds % 1_000_000_000
        let milliseconds = (part < 0 ? part + 1_000_000_000 : part) / 1_000_000
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

    /// Reads RFC 3339 (5.6), with `Z` or an offset and up to nine digits of a fraction; nil for anything else, and for what 64 bits of
    /// nanoseconds do not hold (before 1678, after 2261).
    ///
    /// - Parameter roundedUp: digits that are not given count as nines where some of the fraction are: a moment that was printed to the
    ///   millisecond then is not before what happened in it.
    public init?(rfc3339 text: String, roundedUp: Bool = false) {
        var rest = Array(text.utf8)[...]
        func digits(_ count: Int) -> Int64? {
            guard rest.count >= count, rest.prefix(count).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }
        func take(_ wanted: UInt8...) -> UInt8? {
            guard let byte = rest.first, wanted.contains(byte) else { return nil }
            rest = rest.dropFirst()
            return byte
        }
        guard let year = digits(4), take(0x2d) != nil, let month = digits(2), (1...12).contains(month), take(0x2d) != nil,
            let date = digits(2), date >= 1, take(0x54, 0x74, 0x20) != nil, let hour = digits(2), hour < 24, take(0x3a) != nil,
            let minute = digits(2), minute < 60, take(0x3a) != nil, let second = digits(2), second < 60
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        guard date <= [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Int(month) - 1] else { return nil }
        var fraction: Int64 = 0
        if take(0x2e) != nil {
            let given = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(given.count), let value = digits(given.count) else { return nil }
            let scale = (0..<(9 - given.count)).reduce(Int64(1)) { scale, _ in scale * 10 }
            fraction = value * scale + (roundedUp ? scale - 1 : 0)
        }
        var offset: Int64 = 0
        if take(0x5a, 0x7a) == nil {
            guard let sign = take(0x2b, 0x2d), let hours = digits(2), hours < 24, take(0x3a) != nil, let minutes = digits(2), minutes < 60
            else { return nil }
            offset = (hours * 3600 + minutes * 60) * (sign == 0x2b ? 1 : -1)
        }
        guard rest.isEmpty else { return nil }
        let seconds = Self.day(year, month, date) * 86_400 + hour * 3600 + minute * 60 + second - offset
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = whole.addingReportingOverflow(fraction)
        guard !overflow, !carry else { return nil }
        self.init(nanoseconds: sum)
    }

    /// The inverse of ``civil(_:)``.
    private static func day(_ year: Int64, _ month: Int64, _ date: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.floorDivided(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + date - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
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
