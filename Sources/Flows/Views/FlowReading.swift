import NetworkTypes

/// A flow and what it did since the reading before: the material of lists and views.
public struct FlowReading: Hashable, Sendable {
    public var record: FlowRecord
    /// What was counted in the last `interval`.
    public var change: Totals
    /// Zero when there is no earlier reading: then rates are zero.
    public var interval: Duration

    public init(record: FlowRecord, change: Totals = Totals(), interval: Duration = .zero) {
        self.record = record
        self.change = change
        self.interval = interval
    }

    /// With what the flow table keeps of the time between two turns: a second, or what it took on a busy machine.
    public init(record: FlowRecord, rate: FlowRate, over interval: Duration) {
        self.init(record: record, change: Totals(wirePackets: rate.packets, wireBytes: rate.bytes), interval: interval)
    }

    /// Wire bytes of the last interval.
    public var bitRate: BitRate { BitRate(bytes: change.wireBytes, over: interval) }
    public var packetRate: PacketRate { PacketRate(packets: change.wirePackets, over: interval) }
}

/// What a list of flows is ordered by. The raw values are what a person types.
public enum FlowMeasure: String, Hashable, Sendable, CaseIterable {
    /// Wire bytes.
    case bytes
    /// Wire packets.
    case packets
    case skbs
    /// Wire bits a second in the last interval.
    case rate
    /// Wire packets a second in the last interval.
    case pps
    /// Handshake round trip.
    case rtt
    case retransmissions
    case last
    case first

    public func value(of reading: FlowReading) -> Double {
        let record = reading.record
        return switch self {
        case .bytes: Double(record.totals.wireBytes)
        case .packets: Double(record.totals.wirePackets)
        case .skbs: Double(record.totals.skbs)
        case .rate: reading.bitRate.bitsPerSecond
        case .pps: reading.packetRate.packetsPerSecond
        case .rtt: Double(record.traits.handshakeMicroseconds)
        case .retransmissions: Double(record.transport.retransmitted)
        // Milliseconds: a double holds those exactly.
        case .last: Double(record.traits.last.nanoseconds / 1_000_000)
        case .first: Double(record.traits.first.nanoseconds / 1_000_000)
        }
    }
}

/// An order of flows, total: equal measures fall back on the key, so that a list does not jump between two readings.
public struct FlowOrder: Hashable, Sendable {
    public var measure: FlowMeasure
    /// Smallest first.
    public var ascending: Bool

    public init(_ measure: FlowMeasure, ascending: Bool = false) {
        self.measure = measure
        self.ascending = ascending
    }

    /// Takes readings one by one, with their `measure.value(of:)`, and keeps the `count` first.
    public func leaders(_ count: Int) -> Leaders<(value: Double, reading: FlowReading)> {
        Leaders(count) { a, b in
            if a.value != b.value { return ascending ? a.value < b.value : a.value > b.value }
            return a.reading.record.key.precedes(b.reading.record.key)
        }
    }

    /// The `count` first flows of `readings` that `include` admits, in order. Time n log count, memory count.
    public func first(
        _ count: Int, of readings: some Sequence<FlowReading>, where include: (FlowReading) -> Bool = { _ in true }
    ) -> [FlowReading] {
        var best = leaders(count)
        for reading in readings where include(reading) { best.offer((measure.value(of: reading), reading)) }
        return best.inOrder().map(\.reading)
    }
}

extension FlowKey {
    /// An order of keys that means nothing but is always the same.
    public func precedes(_ other: FlowKey) -> Bool {
        withUnsafeBytes(of: words) { a in
            withUnsafeBytes(of: other.words) { b in a.lexicographicallyPrecedes(b) }
        }
    }
}
