import NetworkTypes

/// A time in which nobody looked: the agent was not running, or its history could not be written.
public struct GapReport: Codable, Hashable, Sendable {
    /// RFC 3339: of the last that is kept from before.
    public var from: String
    /// RFC 3339: of the first after it; nil where there is none yet.
    public var to: String?

    public init(from: Timestamp, to: Timestamp?) {
        self.from = from.description
        self.to = to?.description
    }

    /// `between 12:00 and 13:00`, with both moments as they are.
    public var span: String { to.map { "between \(from) and \($0)" } ?? "after \(from)" }
}
