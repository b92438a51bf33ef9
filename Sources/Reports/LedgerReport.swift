import Flows
import NetworkTypes

/// The books of one interface and direction, with every term by name. They close in two steps:
///
/// 1. `seen = flows + overflow`, where `flows` are those in slots and those that have left theirs. Any rest is `unaccounted`, and a defect.
/// 2. `seen - dropped after the hook + passed it by = what the device counted since we attached`. Any rest is `notSeenAtHook`.
public struct LedgerReport: Codable, Hashable, Sendable {
    /// What the programs saw.
    public var seen: TotalsReport
    /// In flows that are in their slots now.
    public var inSlots: TotalsReport
    /// In flows that have left their slots.
    public var retired: TotalsReport
    /// Seen, but in no flow, by reason.
    public var overflow: [Overflow]
    /// In a flow, and worth a count of its own.
    public var remarks: [Remark]
    /// nil when the device's counters could not be read.
    public var device: Device?
    /// What is known to make the device's count differ from ours.
    public var differences: [Difference]
    /// What was counted, and what left slots, while the terms were read: none of them can be off by more. Zero when nothing passed.
    public var movedWhileRead: TotalsReport

    public struct Overflow: Codable, Hashable, Sendable {
        public var reason: String
        public var totals: TotalsReport
        public init(reason: OverflowReason, totals: Totals) {
            self.reason = reason.rawValue
            self.totals = TotalsReport(totals)
        }
    }

    /// In the order of `enum nilo_overflow`.
    public enum OverflowReason: String, Hashable, Sendable, CaseIterable {
        case logFull = "log-full"
        case otherCPU = "cpu-without-table"
    }

    public struct Remark: Codable, Hashable, Sendable {
        public var remark: String
        public var count: UInt64
        public init(_ kind: RemarkKind, count: UInt64) {
            remark = kind.rawValue
            self.count = count
        }
    }

    /// In the order of `enum nilo_remark`.
    public enum RemarkKind: String, Hashable, Sendable, CaseIterable {
        case truncatedNetwork = "truncated-network-header"
        case truncatedTransport = "truncated-transport-header"
        case orphanFragment = "fragment-without-first"
        case extensionHeaders = "too-many-extension-headers"
        case tableFull = "fragment-or-handshake-table-full"
        case wireApproximate = "wire-bytes-at-least"
        case spilled = "flows-spilled"
        case droppedClean = "flows-dropped-clean"
    }

    /// The device's own counters (`ip -s link`).
    public struct Device: Codable, Hashable, Sendable {
        public var packets: UInt64
        public var bytes: UInt64
        /// When our programs were attached.
        public var baselinePackets: UInt64
        public var baselineBytes: UInt64
        /// Counted while they were being attached: so far the baseline may be off.
        public var baselineUnsurePackets: UInt64
        public var baselineUnsureBytes: UInt64
        /// What it is compared with: `wire` where the device counts segments, as hardware does and software devices without offloads.
        public var counts: String

        public init(
            packets: UInt64, bytes: UInt64, baselinePackets: UInt64, baselineBytes: UInt64, baselineUnsurePackets: UInt64 = 0,
            baselineUnsureBytes: UInt64 = 0, counts: Counting
        ) {
            self.packets = packets
            self.bytes = bytes
            self.baselinePackets = baselinePackets
            self.baselineBytes = baselineBytes
            self.baselineUnsurePackets = baselineUnsurePackets
            self.baselineUnsureBytes = baselineUnsureBytes
            self.counts = counts.rawValue
        }
    }

    public enum Counting: String, Hashable, Sendable, CaseIterable { case skbs, wire }

    /// One named reason why the device's count differs from ours.
    public struct Difference: Codable, Hashable, Sendable {
        public var name: String
        /// What it adds to our count to come to the device's: negative for what was dropped after the hook.
        public var packets: Int64
        /// nil when the kernel counts only packets there.
        public var bytes: Int64?

        public init(_ cause: Cause, packets: UInt64, bytes: UInt64?) {
            name = cause.rawValue
            let sign: Int64 = cause.isDropAfterHook ? -1 : 1
            self.packets = sign * Int64(clamping: packets)
            self.bytes = bytes.map { sign * Int64(clamping: $0) }
        }
    }

    /// What can come between the hook and the device's counter.
    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// Egress: behind the hook, before the device.
        case qdiscDrops = "dropped-by-qdisc"
        case waiting = "waiting-in-qdisc"
        case driverDrops = "dropped-by-driver"
        /// Egress: by a shaping rule, at the hook, after it was seen.
        case policed = "dropped-by-policy"
        /// Ingress: counted by the device, dropped or taken before the hook.
        case xdp = "taken-by-xdp"
        case droppedBeforeHook = "dropped-before-hook"
        case otherProgram = "taken-by-another-program"
        /// Egress: sent around the qdisc layer, and so around the hook.
        case qdiscBypass = "sent-past-the-hook"
        /// The device counts frames without their 14 bytes of Ethernet header, as bridges and VXLAN devices do.
        case ethernetHeader = "ethernet-header-not-counted"

        /// Makes the device's count smaller than ours.
        var isDropAfterHook: Bool { [.qdiscDrops, .waiting, .driverDrops, .policed, .ethernetHeader].contains(self) }
    }

    public init(
        seen: Totals, inSlots: Totals, retired: Totals, overflow: [Overflow], remarks: [Remark] = [], device: Device? = nil,
        differences: [Difference] = [], movedWhileRead: Totals = Totals()
    ) {
        self.seen = TotalsReport(seen)
        self.inSlots = TotalsReport(inSlots)
        self.retired = TotalsReport(retired)
        self.overflow = overflow
        self.remarks = remarks
        self.device = device
        self.differences = differences
        self.movedWhileRead = TotalsReport(movedWhileRead)
        update()
    }

    /// Packets and bytes, signed.
    public struct Rest: Codable, Hashable, Sendable {
        public var packets: Int64
        public var bytes: Int64
        public init(packets: Int64, bytes: Int64) {
            self.packets = packets
            self.bytes = bytes
        }
        public var isZero: Bool { packets == 0 && bytes == 0 }
    }

    /// `seen - flows - overflow` in skbs and in wire counts: zero, or there is a defect.
    public private(set) var unaccounted = Rest(packets: 0, bytes: 0)
    public private(set) var unaccountedWire = Rest(packets: 0, bytes: 0)
    /// The device's count less ours with the named differences; nil without device counters. Bytes leave out differences without a byte count.
    public private(set) var notSeenAtHook: Rest?

    /// The first step holds: to the last byte when nothing passed while it was read, else to within what did.
    public var closes: Bool {
        unaccounted.packets.magnitude <= movedWhileRead.skbs && unaccounted.bytes.magnitude <= movedWhileRead.skbBytes
            && unaccountedWire.packets.magnitude <= movedWhileRead.wirePackets
            && unaccountedWire.bytes.magnitude <= movedWhileRead.wireBytes
    }

    /// Whether the device agrees, up to what is not sure about the baseline.
    public var agreesWithDevice: Bool? {
        guard let device, let rest = notSeenAtHook else { return nil }
        // Where the kernel counts dropped packets without their bytes, bytes cannot be compared.
        let comparesBytes = differences.allSatisfy { $0.bytes != nil }
        return rest.packets.magnitude <= device.baselineUnsurePackets
            && (!comparesBytes || rest.bytes.magnitude <= device.baselineUnsureBytes)
    }

    private mutating func update() {
        let flows = overflow.reduce(inSlots.totals + retired.totals) { $0 + $1.totals.totals }
        unaccounted = Rest(packets: Self.minus(seen.skbs, flows.skbs), bytes: Self.minus(seen.skbBytes, flows.skbBytes))
        unaccountedWire = Rest(
            packets: Self.minus(seen.wirePackets, flows.wirePackets), bytes: Self.minus(seen.wireBytes, flows.wireBytes))
        guard let device else { return }
        let wire = device.counts == Counting.wire.rawValue
        let ours = (wire ? seen.wirePackets : seen.skbs, wire ? seen.wireBytes : seen.skbBytes)
        var rest = Rest(
            packets: Self.minus(device.packets &- device.baselinePackets, ours.0),
            bytes: Self.minus(device.bytes &- device.baselineBytes, ours.1))
        for difference in differences {
            rest.packets &-= difference.packets
            rest.bytes &-= difference.bytes ?? 0
        }
        notSeenAtHook = rest
    }

    private static func minus(_ a: UInt64, _ b: UInt64) -> Int64 { Int64(truncatingIfNeeded: a &- b) }
}
