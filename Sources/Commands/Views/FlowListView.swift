import Flows
import NetworkTypes
import Reports
import Terminal

/// A list of flows as a table.
public struct FlowListView: Sendable {
    public var output: TerminalOutput
    /// All columns.
    public var wide: Bool
    public var ends: EndpointText
    public var numbers: NumberForm

    public init(output: TerminalOutput, wide: Bool = false, ends: EndpointText = EndpointText(), numbers: NumberForm = .short) {
        self.numbers = numbers
        self.output = output
        self.wide = wide
        self.ends = ends
    }

    /// The table, and a line that tells what it leaves out.
    public func text(_ list: FlowListReport) -> String {
        guard !list.flows.isEmpty else {
            let why =
                list.known == 0 ? "no flows yet" : "none of \(list.known) flows matches\(list.filter.isEmpty ? "" : ": \(list.filter)")"
            return why + "\n"
        }
        let table = table(list)
        let points = Set(list.flows.map { "\($0.interface) \($0.direction)" })
        var closing = "\(list.flows.count) of \(list.matched) flows"
        if list.matched != list.known { closing += " that match, \(list.known) known" }
        closing += "; by \(list.sort)"
        if points.count > 1 { closing += "; seen at \(points.count) points: a packet can be in several lines" }
        return table.text(for: wide ? TerminalOutput(isTerminal: output.isTerminal, width: 0, color: output.color) : output)
            + output.styled(TerminalText.truncated(closing, to: output.width > 0 ? output.width : .max), .dim) + "\n"
    }

    /// Without the closing line. In a narrow terminal the measures that the list is not sorted by make room, then names and addresses are
    /// cut; where a flow was seen stays to be read.
    func table(_ list: FlowListReport) -> Table {
        let owners = list.flows.contains { $0.owner != nil }
        var table = Table(columns(sort: FlowMeasure(rawValue: list.sort)) + (owners ? [.init("OWNER", shrinksTo: 8, comfortable: 12)] : []))
        table.narrowGap = 1
        for flow in list.flows { table.append(row(flow) + (owners ? [.init(flow.owner ?? "-")] : [])) }
        return table
    }

    private func columns(sort: FlowMeasure?) -> [Table.Column] {
        func measure(_ title: String, _ measure: FlowMeasure, rank: Int) -> Table.Column {
            .init(title, right: true, dropRank: wide || measure == sort ? nil : rank)
        }
        var columns: [Table.Column] = [
            .init("PROTO"), .init("SOURCE", shrinksTo: 9, comfortable: 15), .init("DESTINATION", shrinksTo: 9, comfortable: 15), .point,
            .init(numbers.title("RATE", unit: "b/s"), right: true), measure("BYTES", .bytes, rank: 4),
            measure("PACKETS", .packets, rank: 1), measure(numbers.title("RTT", unit: "µs"), .rtt, rank: 2),
            measure("RETR", .retransmissions, rank: 3),
        ]
        if wide {
            columns += [
                .init("PPS", right: true), .init("SKBS", right: true), .init("FLAGS"), .init("TTL", right: true), .init("DSCP"),
                .init("FIRST"), .init("LAST"), .init("APPLICATION"), .init("NAME"), .init("NOTES"),
            ]
        }
        return columns
    }

    private func row(_ flow: FlowReport) -> [Table.Cell] {
        let shown = flow.inner ?? flow.tuple
        let retransmitted = flow.tcp?.retransmitted ?? 0
        var row: [Table.Cell] = [
            .init(protocolText(flow)), .init(ends.text(shown, source: true)), .init(ends.text(shown, source: false)), .init(point(flow)),
            .init(numbers.rate(flow.bitsPerSecond)), .init(numbers.bytes(flow.totals.wireBytes)),
            .init(numbers.count(flow.totals.wirePackets)), .init(numbers.microseconds(flow.tcp?.handshakeMicroseconds)),
            .init(flow.tcp == nil ? "-" : String(retransmitted), retransmitted > 0 ? .yellow : nil),
        ]
        if wide {
            let ttl = flow.ttlMinimum == flow.ttlMaximum ? "\(flow.ttlMaximum)" : "\(flow.ttlMinimum)-\(flow.ttlMaximum)"
            row += [
                .init(numbers.packetRate(flow.packetsPerSecond)), .init(String(flow.totals.skbs)),
                .init(flow.tcp?.flags.joined(separator: ",") ?? "-"), .init(ttl), .init(DSCPName.of(flow.dscp) ?? String(flow.dscp)),
                .init(flow.first), .init(flow.last), .init(application(flow)), .init(flow.serverName.map(TerminalText.printable) ?? "-"),
                .init(flow.notes.joined(separator: ",")),
            ]
        }
        return row
    }

    /// `http`; a guess as `http?`.
    private func application(_ flow: FlowReport) -> String {
        let isGuess = flow.applicationBasis == "port" || flow.applicationBasis == "address"
        return flow.application.map { TerminalText.printable($0) + (isGuess ? "?" : "") } ?? "-"
    }

    /// `tcp`, `arp`; inside VXLAN `tcp/vni42`.
    private func protocolText(_ flow: FlowReport) -> String {
        let shown = flow.inner ?? flow.tuple
        return (shown.protocol ?? shown.etherType) + (flow.vni.map { "/vni\($0)" } ?? "")
    }

    /// `eth0 in`, `eth0.100 out`.
    private func point(_ flow: FlowReport) -> String {
        let tags = [flow.vlan, flow.innerVLAN].compactMap { $0 }.map { ".\($0)" }.joined()
        let place = namespacePrefix(flow.namespace)
        return "\(place)\(flow.interface)\(tags) \(flow.direction == "ingress" ? "in" : "out")"
    }
}

extension Table.Column {
    /// Where something was seen: NAMESPACE:INTERFACE and the direction. The namespace gives way first.
    static let point = Table.Column("AT", shrinksTo: 6, comfortable: 24, keepsEnd: true)
}
