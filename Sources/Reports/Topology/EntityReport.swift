// The topology as it goes over the API (docs/api.openapi.yaml, `Entity`, `Link` and `Load`).

/// A thing of the topology.
public struct EntityReport: Codable, Hashable, Sendable {
    /// Stable over restarts.
    public var key: String
    /// `host`, `namespace`, `interface`, …
    public var kind: String
    public var name: String
    /// What it is in or on, where that is known.
    public var parent: String?
    /// Keys of the virtual networks that it belongs to; nil for what serves them all.
    public var networks: [String]?
    public var attributes: [String: AttributeValue]
    /// Chooses its flows in the filter language; nil where none does.
    public var filter: String?
    /// A loopback, a link-local or multicast address, the local table and their like: true; nil for what people made.
    public var kernelMade: Bool?
    /// RFC 3339; nil where that is not known.
    public var since: String?

    public init(
        key: String, kind: String, name: String, parent: String? = nil, networks: [String]? = nil,
        attributes: [String: AttributeValue] = [:],
        filter: String? = nil, kernelMade: Bool? = nil, since: String? = nil
    ) {
        self.key = key
        self.kind = kind
        self.name = name
        self.parent = parent
        self.networks = networks
        self.attributes = attributes
        self.filter = filter
        self.kernelMade = kernelMade
        self.since = since
    }
}

/// What joins two things.
public struct LinkReport: Codable, Hashable, Sendable {
    public var key: String
    /// `veth`, `port`, `talk`, …
    public var kind: String
    /// `physical`, `layer2`, `layer3`, `tunnel` or `communication` (``TopologyLayer``).
    public var layer: String
    public var from: String
    public var to: String
    public var networks: [String]?
    public var attributes: [String: AttributeValue]
    public var filter: String?
    /// One of its ends is.
    public var kernelMade: Bool?
    /// RFC 3339; nil where that is not known.
    public var since: String?
    /// nil for links that carry no traffic of their own.
    public var load: LoadReport?

    public init(
        key: String, kind: String, layer: String, from: String, to: String, networks: [String]? = nil,
        attributes: [String: AttributeValue] = [:], filter: String? = nil, kernelMade: Bool? = nil, since: String? = nil,
        load: LoadReport? = nil
    ) {
        self.key = key
        self.kind = kind
        self.layer = layer
        self.from = from
        self.to = to
        self.networks = networks
        self.attributes = attributes
        self.filter = filter
        self.kernelMade = kernelMade
        self.since = since
        self.load = load
    }
}

/// What a link carries: over the last second, or over a step of the past.
public struct LoadReport: Codable, Hashable, Sendable {
    /// Towards `to`.
    public var bitsPerSecond: Double?
    public var packetsPerSecond: Double?
    /// Towards `from`.
    public var reverseBitsPerSecond: Double?
    public var reversePacketsPerSecond: Double?
    /// Of each direction, where it is known.
    public var capacityBitsPerSecond: Double?
    public var roundTripMicroseconds: RoundTrip?
    /// Of all packets since the link is there, 0…1.
    public var retransmissionRatio: Double?
    /// Since the link is there; of communication and tunnels.
    public var totals: Sums?

    /// Of TCP handshakes: quantiles to within a factor of two, and the least, which is nearest to what the way itself takes there and back.
    public struct RoundTrip: Codable, Hashable, Sendable {
        public var least: Double
        public var p50: Double
        public var p90: Double
        public var p99: Double

        public init(least: Double, p50: Double, p90: Double, p99: Double) {
            self.least = least
            self.p50 = p50
            self.p90 = p90
            self.p99 = p99
        }
    }

    /// Exact counts, of each packet at one observation point.
    public struct Sums: Codable, Hashable, Sendable {
        public var packets: UInt64
        public var bytes: UInt64
        public var reversePackets: UInt64
        public var reverseBytes: UInt64
        public var flows: UInt32
        /// RFC 3339, of the first and the latest packet.
        public var first: String
        public var last: String

        public init(
            packets: UInt64, bytes: UInt64, reversePackets: UInt64, reverseBytes: UInt64, flows: UInt32, first: String, last: String
        ) {
            self.packets = packets
            self.bytes = bytes
            self.reversePackets = reversePackets
            self.reverseBytes = reverseBytes
            self.flows = flows
            self.first = first
            self.last = last
        }
    }

    public init(
        bitsPerSecond: Double? = nil, packetsPerSecond: Double? = nil, reverseBitsPerSecond: Double? = nil,
        reversePacketsPerSecond: Double? = nil, capacityBitsPerSecond: Double? = nil, roundTripMicroseconds: RoundTrip? = nil,
        retransmissionRatio: Double? = nil, totals: Sums? = nil
    ) {
        self.bitsPerSecond = bitsPerSecond
        self.packetsPerSecond = packetsPerSecond
        self.reverseBitsPerSecond = reverseBitsPerSecond
        self.reversePacketsPerSecond = reversePacketsPerSecond
        self.capacityBitsPerSecond = capacityBitsPerSecond
        self.roundTripMicroseconds = roundTripMicroseconds
        self.retransmissionRatio = retransmissionRatio
        self.totals = totals
    }

    /// Both directions.
    public var bothBitsPerSecond: Double { (bitsPerSecond ?? 0) + (reverseBitsPerSecond ?? 0) }
}
