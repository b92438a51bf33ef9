import NetworkTypes

/// Flows added up by subject, never one packet twice.
///
/// Rows are kept apart by interface. Within an interface a flow can be seen at both points: a packet that comes in by an interface and leaves
/// by it again is counted once at each. Such a flow is taken from one point only, the one with more wire packets, before anything is added.
/// What this cannot see is a packet whose addresses or tags were rewritten in between: those are two flows. A filter with `ingress` or
/// `egress` leaves one point, and that is exact always. Rows per interface and direction (`FlowGrouping.interface`) are of one point anyhow.
public enum FlowView {
    /// - Returns: one row for each subject and interface, in no order.
    public static func groups(
        of readings: some Sequence<FlowReading>, by grouping: FlowGrouping, tuple choice: TupleChoice = .outer
    ) -> [FlowGroup] {
        var rows: [Row: FlowGroup] = [:]
        for reading in grouping == .interface ? Array(readings) : onePointEach(readings) {
            for part in parts(of: reading.record.key, by: grouping, tuple: choice) {
                rows[Row(subject: part.subject, interface: reading.record.key.interface), default: FlowGroup(part.subject, reading)]
                    .add(reading, sent: part.sent)
            }
        }
        return Array(rows.values)
    }

    /// The `count` first rows by a measure, largest first unless `ascending`.
    public static func first(
        _ count: Int, of groups: some Sequence<FlowGroup>, by measure: FlowMeasure, interval: Duration, ascending: Bool = false
    ) -> [FlowGroup] {
        var best = Leaders<(value: Double, group: FlowGroup)>(count) { a, b in
            if a.value != b.value { return ascending ? a.value < b.value : a.value > b.value }
            return a.group.precedes(b.group)
        }
        for group in groups { best.offer((measure.value(of: group, interval: interval), group)) }
        return best.inOrder().map(\.group)
    }

    private struct Row: Hashable {
        var subject: FlowGroup.Subject
        var interface: InterfaceID
    }

    /// Drops the smaller one of two readings that are the two points of one interface seeing the same packets.
    static func onePointEach(_ readings: some Sequence<FlowReading>) -> [FlowReading] {
        var kept: [FlowReading] = []
        var place: [FlowKey: Int] = [:]
        for reading in readings {
            let key = reading.record.key.withoutDirection
            guard let at = place[key] else {
                place[key] = kept.count
                kept.append(reading)
                continue
            }
            let (new, old) = (reading.record, kept[at].record)
            let more = new.totals.wirePackets > old.totals.wirePackets
            let tie = new.totals.wirePackets == old.totals.wirePackets
            if more || tie && new.key.direction == .ingress { kept[at] = reading }
        }
        return kept
    }

    /// The rows a flow belongs to. A flow whose two ends are one host is that host's once.
    private static func parts(
        of key: FlowKey, by grouping: FlowGrouping, tuple choice: TupleChoice
    ) -> [(subject: FlowGroup.Subject, sent: Bool)] {
        let inside = choice == .innermost ? key.inner : nil
        let tuple = inside ?? key.outer
        let isIP = tuple.etherType == .ipv4 || tuple.etherType == .ipv6
        let other = FlowGroup.Subject.other(tuple.etherType, isIP ? tuple.protocol : nil)
        switch grouping {
        case .conversation:
            let near = tuple.isFromClient
            return [(.conversation(near ? tuple : tuple.reversed, vni: inside == nil ? nil : key.vni), near)]
        case .host:
            guard let source = tuple.source, let destination = tuple.destination else { return [(other, true)] }
            return source == destination ? [(.host(source), true)] : [(.host(source), true), (.host(destination), false)]
        case .port:
            // Without ports: by protocol, whatever IP carries it.
            guard tuple.form == .ports else { return [(isIP ? .ipProtocol(tuple.protocol) : other, true)] }
            let service = min(tuple.sourcePort, tuple.destinationPort)
            return [(.port(tuple.protocol, service), tuple.sourcePort == service)]
        case .protocol: return [(isIP ? .ipProtocol(tuple.protocol) : other, true)]
        case .vni: return [(key.vni.map { .vni($0) } ?? .noVNI, true)]
        case .interface: return [(.point(key.direction), true)]
        }
    }
}

extension FlowTuple {
    /// Whether the packet goes from the end with the larger port to the other. Equal ports: from the smaller address.
    /// ICMP echo: whether it is the request.
    var isFromClient: Bool {
        switch form {
        case .icmp:
            switch (`protocol`, destinationPort >> 8) {
            case (.icmp, 8), (.icmpv6, 128): return true
            case (.icmp, 0), (.icmpv6, 129): return false
            default: break
            }
        case .ports where sourcePort != destinationPort: return sourcePort > destinationPort
        default: break
        }
        guard let source, let destination else { return true }
        return source <= destination
    }
}

extension FlowGroup {
    fileprivate init(_ subject: Subject, _ reading: FlowReading) {
        let traits = reading.record.traits
        self.init(
            subject: subject, interface: reading.record.key.interface, points: [], sent: Amount(), received: Amount(), flows: 0,
            first: traits.first, last: traits.last, handshakeMicroseconds: 0)
    }

    fileprivate mutating func add(_ reading: FlowReading, sent isSent: Bool) {
        let record = reading.record
        var amount = Amount()
        amount.totals = record.totals
        amount.transport = record.transport
        amount.change = reading.change
        if isSent { sent += amount } else { received += amount }
        points.insert(record.key.point)
        flows += 1
        first = min(first, record.traits.first)
        last = max(last, record.traits.last)
        handshakeMicroseconds = max(handshakeMicroseconds, record.traits.handshakeMicroseconds)
    }

    /// An order that is always the same, for rows of equal measure.
    fileprivate func precedes(_ other: FlowGroup) -> Bool {
        if interface != other.interface { return interface < other.interface }
        return subject.orderKey.lexicographicallyPrecedes(other.subject.orderKey)
    }
}

extension FlowGroup.Subject {
    fileprivate var orderKey: [UInt64] {
        func ip(_ address: IPAddress) -> [UInt64] {
            switch address {
            case .v4(let a): [4, 0, UInt64(a)]
            case .v6(let high, let low): [6, high, low]
            }
        }
        switch self {
        case .conversation(let t, let vni):
            return [
                0, t.sourceWords.0, t.sourceWords.1, t.destinationWords.0, t.destinationWords.1, t.last, UInt64(vni.map { $0 + 1 } ?? 0),
            ]
        case .host(let address): return [1] + ip(address)
        case .port(let proto, let port): return [2, UInt64(port), UInt64(proto.rawValue)]
        case .ipProtocol(let proto): return [3, UInt64(proto.rawValue)]
        case .other(let type, let proto): return [4, UInt64(type.rawValue), UInt64(proto?.rawValue ?? 0)]
        case .vni(let vni): return [5, UInt64(vni)]
        case .point(let direction): return [6, UInt64(direction.rawValue)]
        case .noVNI: return [7]
        }
    }
}

extension FlowMeasure {
    /// Of a whole row; the interval is that of the readings.
    public func value(of group: FlowGroup, interval: Duration) -> Double {
        let total = group.total
        return switch self {
        case .bytes: Double(total.totals.wireBytes)
        case .packets: Double(total.totals.wirePackets)
        case .skbs: Double(total.totals.skbs)
        case .rate: BitRate(bytes: total.change.wireBytes, over: interval).bitsPerSecond
        case .pps: PacketRate(packets: total.change.wirePackets, over: interval).packetsPerSecond
        case .rtt: Double(group.handshakeMicroseconds)
        case .retransmissions: Double(total.transport.retransmitted)
        case .last: Double(group.last.nanoseconds / 1_000_000)
        case .first: Double(group.first.nanoseconds / 1_000_000)
        }
    }
}
