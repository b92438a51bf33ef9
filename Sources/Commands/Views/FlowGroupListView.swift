import Flows
import NetworkTypes
import Reports
import Terminal

/// Flows added up by subject, as a table.
public struct FlowGroupListView: Sendable {
    public var output: TerminalOutput
    public var ends: EndpointText
    public var numbers: NumberForm

    public init(output: TerminalOutput, ends: EndpointText = EndpointText(), numbers: NumberForm = .short) {
        self.output = output
        self.ends = ends
        self.numbers = numbers
    }

    public func text(_ list: FlowGroupListReport) -> String {
        guard !list.groups.isEmpty else { return "no flows\(list.filter.isEmpty ? " yet" : " match: \(list.filter)")\n" }
        let grouping = FlowGrouping(rawValue: list.by)
        var table = Table(subjectColumns(grouping) + [.point] + measureColumns(grouping, sort: FlowMeasure(rawValue: list.sort)))
        table.narrowGap = 1
        for group in list.groups {
            // A row of one interface and direction names both; any other took each flow from one of the points.
            let at = grouping == .interface ? "\(place(group)) \(group.points == ["ingress"] ? "in" : "out")" : place(group)
            table.append(subject(group, grouping) + [.init(at)] + measures(group, grouping))
        }
        var closing = "\(list.groups.count) of \(list.rows) rows by \(list.by); sorted by \(list.sort)"
        if Set(list.groups.map(\.interfaceID)).count > 1 { closing += "; a packet counts at each interface it passed" }
        return table.text(for: output) + output.styled(TerminalText.truncated(closing, to: output.width > 0 ? output.width : .max), .dim)
            + "\n"
    }

    private func place(_ group: FlowGroupReport) -> String {
        namespacePrefix(group.namespace) + group.interface
    }

    /// Whether rows have a near end, from which and to which they count. Without one everything is one amount.
    private static func hasEnds(_ grouping: FlowGrouping?) -> Bool {
        switch grouping {
        case .conversation, .host, .port: true
        case .protocol, .vni, .interface, nil: false
        }
    }

    /// In a narrow terminal what the rows are not sorted by makes room for the subjects.
    private func measureColumns(_ grouping: FlowGrouping?, sort: FlowMeasure?) -> [Table.Column] {
        let byTotals = sort == .bytes || sort == .packets || sort == .skbs
        func column(_ title: String, _ rank: Int?) -> Table.Column { .init(title, right: true, dropRank: rank) }
        let (rate, total) = (byTotals ? 4 : nil, byTotals ? nil : 4)
        let amounts =
            Self.hasEnds(grouping)
            ? [
                column(numbers.title("SENT/s", unit: "b"), rate), column(numbers.title("RECV/s", unit: "b"), rate), column("SENT", total),
                column("RECEIVED", total),
            ] : [column(numbers.title("RATE", unit: "b/s"), rate), column("BYTES", total), column("PACKETS", sort == .packets ? nil : 3)]
        return amounts + [column("FLOWS", 2), column(numbers.title("RTT", unit: "µs"), sort == .rtt ? nil : 1)]
    }

    private func measures(_ group: FlowGroupReport, _ grouping: FlowGrouping?) -> [Table.Cell] {
        let amounts =
            Self.hasEnds(grouping)
            ? [
                numbers.rate(group.sentBitsPerSecond), numbers.rate(group.receivedBitsPerSecond), numbers.bytes(group.sent.wireBytes),
                numbers.bytes(group.received.wireBytes),
            ]
            : [numbers.rate(group.sentBitsPerSecond), numbers.bytes(group.sent.wireBytes), numbers.count(group.sent.wirePackets)]
        return (amounts + [String(group.flows), numbers.microseconds(group.handshakeMicroseconds)]).map { Table.Cell($0) }
    }

    private func subjectColumns(_ grouping: FlowGrouping?) -> [Table.Column] {
        switch grouping {
        case .conversation:
            [.init("PROTO"), .init("CLIENT", shrinksTo: 9, comfortable: 15), .init("SERVER", shrinksTo: 9, comfortable: 15)]
        case .host: [.init("HOST", shrinksTo: 9, comfortable: 15)]
        case .port: [.init("PROTO"), .init("PORT")]
        case .protocol: [.init("PROTO")]
        case .vni: [.init("VNI")]
        case .interface, nil: []
        }
    }

    private func subject(_ group: FlowGroupReport, _ grouping: FlowGrouping?) -> [Table.Cell] {
        let other = group.protocol ?? group.etherType ?? "-"
        switch grouping {
        case .conversation:
            guard let tuple = group.conversation else { return [.init(other), "-", "-"] }
            let proto = (tuple.protocol ?? tuple.etherType) + (group.vni.map { "/vni\($0)" } ?? "")
            return [.init(proto), .init(ends.text(tuple, source: true)), .init(ends.text(tuple, source: false))]
        case .host: return [.init(group.host.map(ends.host) ?? other)]
        case .port:
            let service = ends.numeric ? nil : group.port.flatMap(ServiceName.of(port:))
            return [.init(other), .init(service ?? group.port.map { String($0) } ?? "-")]
        case .protocol: return [.init(other)]
        case .vni: return [.init(group.vni.map { String($0) } ?? "none")]
        case .interface, nil: return []
        }
    }
}
