import Glibc
import NetworkTypes

/// Moments as a person gives them: `2026-01-31T12:00:00Z` (RFC 3339), `2026-01-31 12:00` (local time), `12:00` (today), `10m` or `-10m`
/// (ago), `now`.
enum MomentText {
    static let hint = "as 2026-01-31T12:00:00Z, \"2026-01-31 12:00\" (local time), 10m (ago) or now"

    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// - Parameter now: what times ago count from.
    static func moment(_ text: String, now: Timestamp) -> Timestamp? {
        if text == "now" { return now }
        if let ago = ago(text) { return now + (.zero - ago) }
        return calendar(text, now: now)
    }

    /// `90s`, `10m`, `2h`, `3d`, with a `-` before it or not.
    static func ago(_ text: String) -> Duration? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        let units: [(Character, Int64)] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]
        guard let unit = digits.last, let scale = units.first(where: { $0.0 == unit })?.1, let count = number(digits.dropLast()),
            count <= 36_500 * 86_400 / scale
        else { return nil }
        return .seconds(count * scale)
    }

    private static func number(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }

    /// A date and a time of day, apart by `T` or a blank; without a zone local time, without a date today.
    private static func calendar(_ text: String, now: Timestamp) -> Timestamp? {
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == "t" || $0 == " " }
        var local = tm()
        var seconds = Int(now.nanoseconds / 1_000_000_000)
        guard localtime_r(&seconds, &local) != nil else { return nil }
        var clock = parts[parts.count - 1]
        if parts.count == 2 {
            let date = parts[0].split(separator: "-", omittingEmptySubsequences: false).map(number)
            // Nanoseconds since 1970 end in 2262.
            guard date.count == 3, let year = date[0], let month = date[1], let day = date[2], (1970...2261).contains(year),
                (1...12).contains(month), (1...31).contains(day)
            else { return nil }
            (local.tm_year, local.tm_mon, local.tm_mday) = (Int32(year) - 1900, Int32(month) - 1, Int32(day))
        }
        guard let zone = zone(&clock), let (time, nanoseconds) = timeOfDay(clock) else { return nil }
        (local.tm_hour, local.tm_min, local.tm_sec) = time
        local.tm_isdst = -1
        let (year, month, day) = (local.tm_year, local.tm_mon, local.tm_mday)
        let found = zone.map { timegm(&local) - Int($0) } ?? mktime(&local)
        // A 30th of February was moved on into March.
        guard (local.tm_year, local.tm_mon, local.tm_mday) == (year, month, day), found > 0 else { return nil }
        return Timestamp(nanoseconds: Int64(found) * 1_000_000_000 + nanoseconds)
    }

    /// Takes a zone off the end: `.some(nil)` without one, its seconds east otherwise; nil for one that is none.
    private static func zone(_ clock: inout Substring) -> Int64?? {
        if clock.last == "Z" || clock.last == "z" {
            clock = clock.dropLast()
            return .some(0)
        }
        guard let sign = clock.lastIndex(where: { $0 == "+" || $0 == "-" }) else { return .some(nil) }
        let parts = clock[clock.index(after: sign)...].split(separator: ":", omittingEmptySubsequences: false).map(number)
        guard parts.count == 2, let hours = parts[0], let minutes = parts[1], hours < 24, minutes < 60 else { return nil }
        let east = (hours * 60 + minutes) * 60 * (clock[sign] == "-" ? -1 : 1)
        clock = clock[..<sign]
        return .some(east)
    }

    /// `12:00`, `12:00:30`, `12:00:30.25`.
    private static func timeOfDay(_ text: Substring) -> ((Int32, Int32, Int32), nanoseconds: Int64)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), let hour = number(parts[0]), let minute = number(parts[1]), hour < 24, minute < 60 else {
            return nil
        }
        guard parts.count == 3 else { return ((Int32(hour), Int32(minute), 0), 0) }
        let second = parts[2].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = number(second[0]), whole < 60 else { return nil }
        var nanoseconds: Int64 = 0
        if second.count == 2 {
            guard second[1].count <= 9, let part = number(second[1]) else { return nil }
            nanoseconds = (second[1].count..<9).reduce(part) { value, _ in value * 10 }
        }
        return ((Int32(hour), Int32(minute), Int32(whole)), nanoseconds)
    }

    /// For people, in local time: the time of day, with the day where that is another than that of `beside`.
    static func local(_ moment: String, beside: Timestamp) -> String {
        guard let then = calendar(moment, now: beside) else { return moment }
        func broken(_ time: Timestamp) -> tm {
            var seconds = Int(time.nanoseconds / 1_000_000_000)
            var parts = tm()
            localtime_r(&seconds, &parts)
            return parts
        }
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (a, b) = (broken(then), broken(beside))
        let clock = "\(two(a.tm_hour)):\(two(a.tm_min)):\(two(a.tm_sec))"
        if (a.tm_year, a.tm_yday) == (b.tm_year, b.tm_yday) { return clock }
        return "\(a.tm_year + 1900)-\(two(a.tm_mon + 1))-\(two(a.tm_mday)) \(clock)"
    }
}
