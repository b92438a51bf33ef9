/// What became of packets that were offered, and of the processes that were to classify them. All only grow.
///
/// offered = sent + tooSlow + notRunning + resting, but for the packets of the batch that is being filled.
public struct ClassifierProcessCounters: Sendable, Hashable {
    public var offered: UInt64 = 0
    /// To a process; what it had not read when it ended is lost and among `lost`.
    public var sent: UInt64 = 0
    /// Dropped because the process is behind.
    public var tooSlow: UInt64 = 0
    /// Dropped because there was no process, or it ended before they were sent.
    public var notRunning: UInt64 = 0
    /// Passed over before they were sent, for the process has used up its CPU time.
    public var resting: UInt64 = 0
    /// Sent, without an answer when the process ended.
    public var lost: UInt64 = 0
    /// Passed over by the processes for want of CPU time.
    public var passedOver: UInt64 = 0

    /// Processes that were started after the first one.
    public var restarts: UInt64 = 0
    /// Ended by themselves or by a signal.
    public var ended: UInt64 = 0
    /// Killed because they gave no answer.
    public var hung: UInt64 = 0
    /// Killed because what they said was malformed.
    public var malformed: UInt64 = 0
    /// Could not be started.
    public var failedStarts: UInt64 = 0
    /// Nanoseconds of CPU that the processes have used.
    public var cpuTime: UInt64 = 0

    public init() {}
}
