import Glibc
import NetworkTypes

/// How numbers are written: for people, with prefix and unit, or to the last digit, with the unit in the heading.
public enum NumberForm: Hashable, Sendable {
    case short, exact

    public static let option = OptionSpecification("exact", short: "e", help: "numbers in full, as 1234567 in place of 1.2 M")

    public init(_ arguments: ParsedArguments) { self = arguments.has("exact") ? .exact : .short }

    func title(_ name: String, unit: String) -> String { self == .exact ? "\(name) \(unit)" : name }

    func rate(_ bitsPerSecond: Double?) -> String {
        guard let bitsPerSecond else { return "-" }
        return self == .exact ? Self.whole(bitsPerSecond) : BitRate(bitsPerSecond: bitsPerSecond).text.aligned
    }

    func packetRate(_ packetsPerSecond: Double?) -> String {
        guard let packetsPerSecond else { return "-" }
        return self == .exact ? Self.whole(packetsPerSecond) : PacketRate(packetsPerSecond: packetsPerSecond).text.aligned
    }

    func bytes(_ count: UInt64) -> String { self == .exact ? String(count) : ByteCount(count).text.aligned }

    /// Amid text.
    func memory(_ bytes: UInt64) -> String { self == .exact ? "\(bytes) B" : ByteCount(bytes).description }

    func count(_ count: UInt64) -> String { self == .exact ? String(count) : Count(count).text.aligned }

    func microseconds(_ time: UInt32?) -> String {
        guard let time else { return "-" }
        return self == .exact ? String(time) : Duration.microseconds(time).short
    }

    private static func whole(_ value: Double) -> String { UInt64(exactly: value.rounded()).map { String($0) } ?? "-" }
}
