/// How much the classifier looks at and keeps.
public struct ClassifierLimits: Sendable, Hashable {
    /// Packets of a conversation, both directions together; 1...255.
    public var packets: UInt8 = 16
    /// Conversations without a verdict: some kilobytes each.
    public var pending = 4096
    /// Conversations with a verdict whose further packets are passed over: some hundred bytes each.
    public var decided = 32768
    /// Nanoseconds of silence after which a conversation gets its verdict.
    public var idle: UInt64 = 2_000_000_000
    /// Nanoseconds of silence after which the same five-tuple is another conversation.
    public var forget: UInt64 = 60_000_000_000
    /// A packet that was cut off is filled up with zeros to its length, at most so many bytes; nil: taken as a shorter one.
    public var filledUpTo: Int? = 2048

    public init() {}

    var completion: PacketImage.Completion { filledUpTo.map { .zeros(most: $0) } ?? .shorterLengths }
}
