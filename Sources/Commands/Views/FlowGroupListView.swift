import Flows
import NetworkTypes
import Reports
import Terminal

/// Flows added up by subject, as a table.
public struct FlowGroupListView: Sendable {
    public var output: TerminalOutput
    public var ends: EndpointText

    public init(output: TerminalOutput, ends: EndpointText = EndpointText()) {
        self.output = output
        self.ends = ends
    }

    public func text(_ list: FlowGroupListReport) -> String {
        guard !list.groups.isEmpty else { return "no flows\(list.filter.isEmpty ? " yet" : " match: \(list.filter)")\n" }
        let grouping = FlowGrouping(rawValue: list.by)
        var table = Table(
            subjectColumns(grouping) + [
                .init("AT", shrinksTo: 6), .init("SENT/s", right: true), .init("RECV/s", right: true), .init("SENT", right: true),
                .init("RECEIVED", right: true), .init("FLOWS", right: true), .init("RTT", right: true),
            ])
        for group in list.groups {
            table.append(
                subject(group, grouping) + [
                    // A row of one interface and direction names both; any other took each flow from one of the points.
                    .init(grouping == .interface ? "\(place(group)) \(group.points == ["ingress"] ? "in" : "out")" : place(group)),
                    .init(rate(group.sentBitsPerSecond)), .init(rate(group.receivedBitsPerSecond)),
                    .init(ByteCount(group.sent.wireBytes).text.aligned), .init(ByteCount(group.received.wireBytes).text.aligned),
                    .init(String(group.flows)), .init(group.handshakeMicroseconds.map { Duration.microseconds($0).short } ?? "-"),
                ])
        }
        var closing = "\(list.groups.count) of \(list.rows) rows by \(list.by); sorted by \(list.sort)"
        if Set(list.groups.map(\.interfaceID)).count > 1 { closing += "; a packet counts at each interface it passed" }
        return table.text(for: output) + output.styled(TerminalText.truncated(closing, to: output.width > 0 ? output.width : .max), .dim)
            + "\n"
    }

    private func place(_ group: FlowGroupReport) -> String {
        namespacePrefix(group.namespace) + group.interface
    }

    private func rate(_ bits: Double?) -> String { bits.map { BitRate(bitsPerSecond: $0).text.aligned } ?? "-" }

    private func subjectColumns(_ grouping: FlowGrouping?) -> [Table.Column] {
        switch grouping {
        case .conversation: [.init("PROTO"), .init("CLIENT", shrinksTo: 9), .init("SERVER", shrinksTo: 9)]
        case .host: [.init("HOST", shrinksTo: 9)]
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
        case .vni: return [.init(group.vni.map { String($0) } ?? "-")]
        case .interface, nil: return []
        }
    }
}
