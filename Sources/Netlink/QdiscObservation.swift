import CNetlink

/// A queueing discipline as the kernel shows it (RTM_NEWQDISC): one entry of `tc -s qdisc show`.
public struct QdiscObservation: Sendable, Equatable {
    public var interface: Int32
    /// `"htb"`, `"fq_codel"`, `"noqueue"`, `"clsact"`, …
    public var kind = ""
    /// major << 16 | minor, as in `tc`'s `MAJOR:MINOR`.
    public var handle: UInt32
    /// TC_H_ROOT for the root qdisc, TC_H_CLSACT for clsact and ingress, else the class above.
    public var parent: UInt32
    public var counters = QdiscCounters()
    /// TCA_OPTIONS as the kernel shows it; its form depends on ``kind``.
    public var options: [UInt8] = []

    public var isRoot: Bool { parent == TC_H_ROOT }
    /// The clsact qdisc, which holds the ingress and egress filters; not a queue.
    public var isClsact: Bool { parent == UInt32(TC_H_CLSACT) && kind == "clsact" }

    /// From the payload of RTM_NEWQDISC; nil when it is shorter than its fixed header.
    package init?(_ payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(tcmsg.self) else { return nil }
        interface = header.tcm_ifindex
        handle = header.tcm_handle
        parent = header.tcm_parent
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<tcmsg>.size) {
            switch type {
            case TCA_KIND: kind = value.text
            case TCA_OPTIONS: options = Array(value)
            case TCA_STATS2: counters = QdiscCounters(value)
            default: break
            }
        }
    }
}

/// A qdisc's counters (`struct gnet_stats_basic` and `gnet_stats_queue`).
///
/// Packets and bytes are 64 bits wide; the kernel keeps the others in 32 bits, so they wrap: take differences with `&-`.
public struct QdiscCounters: Sendable, Equatable {
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    /// On clsact: packets that a filter's verdict dropped.
    public var drops: UInt32 = 0
    public var overlimits: UInt32 = 0
    public var requeues: UInt32 = 0
    /// Bytes waiting now.
    public var backlog: UInt32 = 0
    /// Packets waiting now.
    public var queueLength: UInt32 = 0

    public init() {}

    /// From TCA_STATS2.
    init(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case TCA_STATS_BASIC:
                bytes = value.value() ?? 0
                packets = max(packets, UInt64(value.value(UInt32.self, at: 8) ?? 0))
            // Sent only when the packet count has outgrown TCA_STATS_BASIC's 32 bits.
            case TCA_STATS_PKT64: packets = value.value() ?? packets
            case TCA_STATS_QUEUE:
                queueLength = value.value(at: 0) ?? 0
                backlog = value.value(at: 4) ?? 0
                drops = value.value(at: 8) ?? 0
                requeues = value.value(at: 12) ?? 0
                overlimits = value.value(at: 16) ?? 0
            default: break
            }
        }
    }
}

extension NetlinkSocket {
    /// `tc -s qdisc show`: the qdiscs of every interface of the namespace (the kernel has no narrower dump).
    public func qdiscs() throws(NetlinkError) -> [QdiscObservation] {
        try dump(RTM_GETQDISC, tcmsg(), "dump qdiscs") { message in
            message.type == RTM_NEWQDISC ? QdiscObservation(message.payload) : nil
        }
    }

    /// `tc -s qdisc show dev NAME`.
    public func qdiscs(of interface: Int32) throws(NetlinkError) -> [QdiscObservation] {
        try qdiscs().filter { $0.interface == interface }
    }

    /// `tc qdisc del dev NAME clsact`, with every filter on it, whoever made them: call only when ``filters(of:at:)`` is empty both ways.
    /// - Throws: `NetlinkError` with the kernel's words when there is no clsact qdisc (`EINVAL` when there is an ingress qdisc instead).
    public func removeClsact(from interface: Int32) throws(NetlinkError) {
        var header = tcmsg()
        header.tcm_ifindex = interface
        header.tcm_parent = UInt32(TC_H_CLSACT)
        header.tcm_handle = TC_H_CLSACT & 0xFFFF_0000
        try request(RTM_DELQDISC, header, [(TCA_KIND, Array("clsact\0".utf8))], "remove the clsact qdisc of link \(interface)")
    }
}
