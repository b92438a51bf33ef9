import NetworkTypes

/// Names of addresses as DNS answers gave them, as long as they hold, and no more than so many.
///
/// Answers are what somebody on the network said: a name is a hint for people, no proof of who it is.
public struct NameTable: Sendable {
    private struct Name: Sendable {
        var text: String
        var until: UInt64
    }

    private var entries: RecencyTable<IPAddress, [Name]>
    /// Addresses that were forgotten to make room.
    public private(set) var evicted: UInt64 = 0

    /// Of one address: content networks have thousands on the same.
    public static let mostNames = 4
    /// A name stays for as long as connections made by it are likely to last, whatever its lifetime; none for more than a day.
    public static let lifetime: ClosedRange<UInt64> = 600_000_000_000...86_400_000_000_000

    public init(capacity: Int) { entries = RecencyTable(capacity: capacity) }

    public var count: Int { entries.count }

    /// - Parameter now: nanoseconds of any clock that only goes forward.
    public mutating func learn(_ answer: DNSAnswers.Address, now: UInt64) {
        var names = (entries.peek(answer.address) ?? []).filter { $0.until > now && $0.text != answer.name }
        let lifetime = min(max(UInt64(answer.timeToLive) * 1_000_000_000, Self.lifetime.lowerBound), Self.lifetime.upperBound)
        names.insert(Name(text: answer.name, until: now &+ lifetime), at: 0)
        if entries.set(answer.address, Array(names.prefix(Self.mostNames))) != nil { evicted += 1 }
    }

    /// The latest first; more than one where the address serves several.
    public func names(of address: IPAddress, now: UInt64) -> [String] {
        (entries.peek(address) ?? []).filter { $0.until > now }.map(\.text)
    }
}
