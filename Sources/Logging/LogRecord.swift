/// How much a line matters, least first.
public enum LogLevel: Int, Sendable, CaseIterable, Comparable {
    case debug, info, warning, error

    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }

    /// As written in a line.
    public var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warning: "warn"
        case .error: "error"
        }
    }
}

/// A field's value.
public enum LogValue: Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByStringInterpolation
{
    case text(String)
    case number(Int64)
    case flag(Bool)

    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .flag(value) }
    /// Numbers stay numbers, all else is written as it describes itself.
    public init(_ value: some BinaryInteger) { self = Int64(exactly: value).map { .number($0) } ?? .text("\(value)") }
    public init(_ value: some CustomStringConvertible) { self = .text(value.description) }
}

/// One thing that happened, as a value: what the log and the audit log write.
public struct LogRecord: Sendable {
    /// Nanoseconds since 1970, UTC.
    public var time: Int64
    public var level: LogLevel
    /// A fixed phrase: what varies stands in the fields, so that lines can be counted and rate-limited by it.
    public var message: String
    /// In the order they are written.
    public var fields: [(name: String, value: LogValue)]

    public init(time: Int64, level: LogLevel, message: String, fields: [(name: String, value: LogValue)] = []) {
        self.time = time
        self.level = level
        self.message = message
        self.fields = fields
    }

    /// `2026-01-02T03:04:05Z info  interface attached  interface=eth0 id=3`, with no newline inside whatever the values hold.
    public var text: String {
        let pad = String(repeating: " ", count: 5 - level.name.utf8.count)
        var line = "\(timestamp(time)) \(level.name)\(pad) \(Self.escaped(message))"
        for (index, field) in fields.enumerated() {
            line += (index == 0 ? "  " : " ") + field.name + "="
            switch field.value {
            case .text(let text): line += Self.isPlain(text) ? text : Self.quoted(text)
            case .number(let number): line += "\(number)"
            case .flag(let flag): line += "\(flag)"
            }
        }
        return line
    }

    /// The same as one JSON object (RFC 8259): `time`, `level`, `message`, then the fields.
    public var json: String {
        var line = "{\"time\":\"\(timestamp(time))\",\"level\":\"\(level.name)\",\"message\":\(Self.quoted(message))"
        for field in fields {
            // A name may be given twice, and may be one of the three above; JSON readers keep the last, so ours get a prefix.
            let name = ["time", "level", "message"].contains(field.name) ? "field_" + field.name : field.name
            line += ",\(Self.quoted(name)):"
            switch field.value {
            case .text(let text): line += Self.quoted(text)
            case .number(let number): line += "\(number)"
            case .flag(let flag): line += "\(flag)"
            }
        }
        return line + "}"
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\\")
            }
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.contains(where: isControl) ? String(quoted(text).dropFirst().dropLast()) : text
    }

    /// C0, DEL, C1 and the line breaks of Unicode: what could start a line or drive a terminal.
    private static func isControl(_ unicode: Unicode.Scalar) -> Bool {
        unicode.value < 0x20 || (0x7f...0x9f).contains(unicode.value) || unicode.value == 0x2028 || unicode.value == 0x2029
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for unicode in text.unicodeScalars {
            switch unicode {
            case "\"", "\\": result += "\\" + String(unicode)
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where isControl(unicode):
                let hex = String(unicode.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(unicode)
            }
        }
        return result + "\""
    }
}

/// RFC 3339 in UTC, to the second, from nanoseconds since 1970. The date by the days of the proleptic Gregorian calendar, whose
/// 400-year cycle has 146097 days, counted from 1 March so that the leap day comes last.
func timestamp(_ nanoseconds: Int64) -> String {
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let seconds = nanoseconds / 1_000_000_000 - (nanoseconds % 1_000_000_000 < 0 ? 1 : 0)
    let days = (seconds >= 0 ? seconds : seconds - 86399) / 86400
    let second = seconds - days * 86400
    let shifted = days + 719_468
    let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let day = shifted - cycle * 146_097
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365
    let ofYear = day - (365 * year + year / 4 - year / 100)
    let month = (5 * ofYear + 2) / 153
    let dayOfMonth = ofYear - (153 * month + 2) / 5 + 1
    let civilMonth = month < 10 ? month + 3 : month - 9
    let civilYear = String(year + cycle * 400 + (civilMonth <= 2 ? 1 : 0))
    let padded = String(repeating: "0", count: max(0, 4 - civilYear.utf8.count)) + civilYear
    return "\(padded)-\(two(civilMonth))-\(two(dayOfMonth))T\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
}
