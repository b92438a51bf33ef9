import Flows
import NetworkTypes

/// What one data record says: a flow's identity and what was counted since the record before.
public struct ExportedFlow: Hashable, Sendable {
    public var key: FlowKey
    /// ifindex of the key's interface, as the host's other tools (and SNMP) show it.
    public var interfaceIndex: UInt32
    /// Counted since the last record of this flow.
    public var delta: Totals
    public var traits: FlowTraits
    /// flowEndReason (136).
    public var endReason: FlowEnd

    public init(key: FlowKey, interfaceIndex: UInt32, delta: Totals, traits: FlowTraits, endReason: FlowEnd) {
        self.key = key
        self.interfaceIndex = interfaceIndex
        self.delta = delta
        self.traits = traits
        self.endReason = endReason
    }

    /// Bytes of Ethernet header and the tags that the key tells of, per frame.
    var linkHeader: UInt64 { 14 + (key.vlan == nil ? 0 : 4) + (key.innerVLAN == nil ? 0 : 4) }
}

/// One message, and what would be lost with it.
public struct ExportedMessage: Hashable, Sendable {
    public var bytes: [UInt8]
    public var carried = ExportedAmount()
}

/// Flow records, and what they count.
public struct ExportedAmount: Hashable, Sendable {
    public var flows: UInt64 = 0
    public var packets: UInt64 = 0
    public var octets: UInt64 = 0

    public init() {}

    public init(_ flows: some Sequence<ExportedFlow>) { for flow in flows { add(flow) } }

    mutating func add(_ flow: ExportedFlow) {
        flows += 1
        packets += flow.delta.wirePackets
        octets += flow.delta.wireBytes
    }

    public static func += (a: inout ExportedAmount, b: ExportedAmount) {
        a.flows += b.flows
        a.packets += b.packets
        a.octets += b.octets
    }
}

/// What was counted but cannot be exported; all only grow. Goes out with the exporter's own statistics.
public struct ExportLosses: Hashable, Sendable {
    /// Records that were made but not delivered (full queue, unreachable collector), and what they counted.
    public var notSentFlows: UInt64 = 0
    public var notSentPackets: UInt64 = 0
    public var notSentOctets: UInt64 = 0
    /// Packets that belong to no flow: the ledger's overflow buckets.
    public var ignoredPackets: UInt64 = 0
    public var ignoredOctets: UInt64 = 0

    public init() {}

    /// These were made and not delivered.
    public mutating func add(_ amount: ExportedAmount) {
        notSentFlows += amount.flows
        notSentPackets += amount.packets
        notSentOctets += amount.octets
    }
}
