import NetworkTypes
import Topology

/// What one epoch leaves in the store, all of it or nothing.
public struct StoredEpoch: Sendable {
    /// Larger than that of every epoch before, below 2^40.
    public var number: UInt64
    /// When the changes took effect. A time before that of the last epoch is taken as that one: a clock that was set back rewrites no
    /// history.
    public var time: Timestamp
    /// What became of entities; the last one of a key counts. What changes nothing (an equal state, a second vanishing) leaves no version.
    public var changes: [EntityChange]
    public var samples: [SeriesSample]
    /// The first epoch after a start or a pause. `changes` lists every entity that there is: what the store knows besides has vanished. The
    /// time since the epoch before is kept as a gap, in which nobody looked.
    public var resumes: Bool

    public init(
        number: UInt64, time: Timestamp, changes: [EntityChange] = [], samples: [SeriesSample] = [], resumes: Bool = false
    ) {
        self.number = number
        self.time = time
        self.changes = changes
        self.samples = samples
        self.resumes = resumes
    }

    static let numberLimit: UInt64 = 1 << 40
    /// UTF-8 bytes of a key, of entities and of series.
    public static let keyLimit = 512
    static let stateLimit = 1 << 20
}

/// One measured value of a series.
public struct SeriesSample: Sendable, Hashable {
    /// `host/web1/if/eth0/tx_bytes`: UTF-8, at most 512 bytes.
    public var key: String
    public var value: SeriesValue

    public init(key: String, value: SeriesValue) {
        self.key = key
        self.value = value
    }
}

/// A series keeps the kind of its first value.
public enum SeriesValue: Sendable, Hashable {
    /// What a counter grew by since the sample before, at most 2^63 - 1. Sums are exact and stop at that bound.
    case counter(UInt64)
    /// A level: utilisation, RTT. Finite.
    case gauge(Double)

    public var kind: SeriesKind {
        switch self {
        case .counter: .counter
        case .gauge: .gauge
        }
    }
}

public enum SeriesKind: Int, Sendable, Hashable {
    case counter = 0
    case gauge = 1
}
