/// What became of the packets that were looked at. All only grow.
public struct ClassifierCounters: Sendable, Hashable {
    public var packets: UInt64 = 0
    /// Given to nDPI.
    public var inspected: UInt64 = 0
    /// Of conversations that have their verdict.
    public var afterVerdict: UInt64 = 0
    /// Of conversations that are watched on another interface.
    public var elsewhere: UInt64 = 0
    /// Not IP, or without the ports that would tell the conversation.
    public var withoutConversation: UInt64 = 0
    /// Cut off or malformed in the headers.
    public var unreadable: UInt64 = 0
    public var noMemory: UInt64 = 0
    /// DNS answers of which a part was not there or not readable.
    public var partialAnswers: UInt64 = 0

    public var conversations: UInt64 = 0
    /// Got their verdict early to make room.
    public var evicted: UInt64 = 0
    /// With a verdict, forgotten to make room: their next packet begins them anew.
    public var forgotten: UInt64 = 0
    /// Final verdicts: by inspection or correlation, guesses, unknown.
    public var identified: UInt64 = 0
    public var guessed: UInt64 = 0
    public var unknown: UInt64 = 0

    public init() {}

    /// In the order of messages between processes.
    static var paths: [WritableKeyPath<ClassifierCounters, UInt64>] {
        [
            \.packets, \.inspected, \.afterVerdict, \.elsewhere, \.withoutConversation, \.unreadable, \.noMemory, \.partialAnswers,
            \.conversations, \.evicted, \.forgotten, \.identified, \.guessed, \.unknown,
        ]
    }

    /// Sums; they may wrap where a process says nonsense.
    func adding(_ other: ClassifierCounters) -> ClassifierCounters {
        var sum = self
        for path in Self.paths { sum[keyPath: path] &+= other[keyPath: path] }
        return sum
    }

    func isAtLeast(_ other: ClassifierCounters) -> Bool { Self.paths.allSatisfy { self[keyPath: $0] >= other[keyPath: $0] } }

    mutating func count(_ verdict: ApplicationVerdict) {
        if verdict.application == nil {
            unknown += 1
        } else if verdict.confidence.isGuess {
            guessed += 1
        } else {
            identified += 1
        }
    }
}
