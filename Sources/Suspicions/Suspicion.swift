import Flows
import NetworkTypes

/// Traffic that looks like an attack or a fault, from its beginning to its end.
public struct Suspicion: Sendable, Hashable, Identifiable {
    public enum Kind: String, Sendable, CaseIterable, Hashable {
        /// One source tries many ports of one host or a few, and almost none answers.
        case portScan = "port-scan"
        /// One source tries many addresses at one port or a few, and almost none answers.
        case addressScan = "address-scan"
        /// One destination is sent openings of connections that are not completed.
        case synFlood = "syn-flood"
        /// Two hosts exchange far more than any two have lately.
        case heavyHitter = "heavy-hitter"
        /// There are far more distinct addresses or ports than lately.
        case cardinalityJump = "cardinality-jump"
    }

    public enum Phase: String, Sendable, Hashable { case began, updated, ended }

    /// What distinct values are counted of.
    public enum Counted: String, Sendable, CaseIterable, Hashable { case sources, destinations, ports }

    /// Whom it is about; what does not apply is nil.
    public struct Subject: Sendable, Hashable {
        public var source: IPAddress?
        public var destination: IPAddress?
        /// The virtual network (VXLAN) that the addresses are of.
        public var vni: UInt32?
        public var counted: Counted?

        public init(source: IPAddress? = nil, destination: IPAddress? = nil, vni: UInt32? = nil, counted: Counted? = nil) {
            self.source = source
            self.destination = destination
            self.vni = vni
            self.counted = counted
        }
    }

    /// A number that speaks for it.
    public struct Evidence: Sendable, Hashable {
        /// What the number is of.
        public enum Form: Sendable, Hashable {
            case count
            /// Bytes a second.
            case rate
            /// A part of a whole, 0 to 1.
            case share
        }

        /// What it is, in words: `distinct ports`.
        public var name: String
        public var value: Double
        /// Where an estimate lies with about 95 %; both are `value` where it was counted.
        public var low: Double
        public var high: Double
        public var form: Form

        public init(_ name: String, _ value: Double, low: Double? = nil, high: Double? = nil, form: Form = .count) {
            self.name = name
            self.form = form
            self.value = value
            self.low = low ?? value
            self.high = high ?? value
        }

        /// An estimate with a standard deviation of so much of the truth.
        public init(_ name: String, _ value: Double, relativeError: Double) {
            self.init(name, value, low: value * max(0, 1 - 2 * relativeError), high: value * (1 + 2 * relativeError))
        }
    }

    /// Who has part in it.
    public struct Contributor: Sendable, Hashable {
        public var address: IPAddress?
        public var port: UInt16?
        /// Attempts, or bytes of a heavy hitter.
        public var count: UInt64

        public init(address: IPAddress?, port: UInt16? = nil, count: UInt64) {
            self.address = address
            self.port = port
            self.count = count
        }
    }

    /// The same from beginning to end; of one agent's life.
    public var id: UInt64
    public var kind: Kind
    public var phase: Phase
    public var subject: Subject
    /// Where most of it was seen, where that is known.
    public var point: ObservationPoint?
    public var start: Timestamp
    /// The last time that it was seen; of one that has ended, its end.
    public var last: Timestamp
    public var evidence: [Evidence]
    /// Some with the most part, most first.
    public var contributors: [Contributor]
}
