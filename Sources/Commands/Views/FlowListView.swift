import NetworkTypes
import Reports
import Terminal

/// A list of flows as a table.
public struct FlowListView: Sendable {
    public var output: TerminalOutput
    /// All columns.
    public var wide: Bool
    public var numeric: Bool
    /// What to show for an address; nil: the address.
    public var name: @Sendable (String) -> String?

    public init(
        output: TerminalOutput, wide: Bool = false, numeric: Bool = false, name: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        self.output = output
        self.wide = wide
        self.numeric = numeric
        self.name = name
    }

    /// The table, and a line that tells what it leaves out.
    public func text(_ list: FlowListReport) -> String {
        guard !list.flows.isEmpty else {
            let why =
                list.known == 0 ? "no flows yet" : "none of \(list.known) flows matches\(list.filter.isEmpty ? "" : ": \(list.filter)")"
            return why + "\n"
        }
        var table = Table(columns)
        for flow in list.flows { table.append(row(flow)) }
        let points = Set(list.flows.map { "\($0.interface) \($0.direction)" })
        var closing = "\(list.flows.count) of \(list.matched) flows"
        if list.matched != list.known { closing += " that match, \(list.known) known" }
        closing += "; by \(list.sort)"
        if points.count > 1 { closing += "; seen at \(points.count) points: a packet can be in several lines" }
        return table.text(for: wide ? TerminalOutput(isTerminal: output.isTerminal, width: 0, color: output.color) : output)
            + output.styled(TerminalText.truncated(closing, to: output.width > 0 ? output.width : .max), .dim) + "\n"
    }

    private var columns: [Table.Column] {
        var columns: [Table.Column] = [
            .init("PROTO"), .init("SOURCE", shrinksTo: 9), .init("DESTINATION", shrinksTo: 9), .init("AT", shrinksTo: 6),
            .init("RATE", right: true), .init("BYTES", right: true), .init("PACKETS", right: true), .init("RTT", right: true),
            .init("RETR", right: true),
        ]
        if wide {
            columns += [
                .init("PPS", right: true), .init("SKBS", right: true), .init("FLAGS"), .init("TTL", right: true), .init("DSCP"),
                .init("FIRST"), .init("LAST"), .init("NOTES"),
            ]
        }
        return columns
    }

    private func row(_ flow: FlowReport) -> [Table.Cell] {
        let shown = flow.inner ?? flow.tuple
        let retransmitted = flow.tcp?.retransmitted ?? 0
        var row: [Table.Cell] = [
            .init(protocolText(flow)), .init(endpoint(shown, source: true)), .init(endpoint(shown, source: false)), .init(point(flow)),
            .init(flow.bitsPerSecond.map { BitRate(bitsPerSecond: $0).text.aligned } ?? "-"),
            .init(ByteCount(flow.totals.wireBytes).text.aligned), .init(Count(flow.totals.wirePackets).text.aligned),
            .init(flow.tcp?.handshakeMicroseconds.map { Duration.microseconds($0).short } ?? "-"),
            .init(flow.tcp == nil ? "-" : String(retransmitted), retransmitted > 0 ? .yellow : nil),
        ]
        if wide {
            let ttl = flow.ttlMinimum == flow.ttlMaximum ? "\(flow.ttlMaximum)" : "\(flow.ttlMinimum)-\(flow.ttlMaximum)"
            row += [
                .init(flow.packetsPerSecond.map { PacketRate(packetsPerSecond: $0).text.aligned } ?? "-"), .init(String(flow.totals.skbs)),
                .init(flow.tcp?.flags.joined(separator: ",") ?? "-"), .init(ttl), .init(DSCPName.of(flow.dscp) ?? String(flow.dscp)),
                .init(flow.first), .init(flow.last), .init(flow.notes.joined(separator: ",")),
            ]
        }
        return row
    }

    /// `tcp`, `arp`; inside VXLAN `tcp/vni42`.
    private func protocolText(_ flow: FlowReport) -> String {
        let shown = flow.inner ?? flow.tuple
        return (shown.protocol ?? shown.etherType) + (flow.vni.map { "/vni\($0)" } ?? "")
    }

    /// `eth0 in`, `eth0.100 out`.
    private func point(_ flow: FlowReport) -> String {
        let tags = [flow.vlan, flow.innerVLAN].compactMap { $0 }.map { ".\($0)" }.joined()
        return "\(flow.interface)\(tags) \(flow.direction == "ingress" ? "in" : "out")"
    }

    /// `10.0.0.1:443`, `[2001:db8::1]:https`; for ICMP the message at the destination.
    func endpoint(_ tuple: TupleReport, source: Bool) -> String {
        guard let address = source ? tuple.source : tuple.destination else { return "-" }
        let host = name(address).map(TerminalText.printable) ?? address
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        if let port = source ? tuple.sourcePort : tuple.destinationPort {
            // Only the smaller port is a service's: the other one's number means nothing, whatever it is registered for.
            let other = source ? tuple.destinationPort : tuple.sourcePort
            let service = numeric || port > other ?? .max ? nil : ServiceName.of(port: port)
            return "\(bracketed):\(service ?? String(port))"
        }
        if tuple.portsUnknown != nil { return "\(bracketed):?" }
        if !source, let type = tuple.icmpType, let code = tuple.icmpCode { return "\(host) \(Self.message(tuple, type, code))" }
        return host
    }

    private static func message(_ tuple: TupleReport, _ type: UInt8, _ code: UInt8) -> String {
        switch (tuple.protocol, type) {
        case ("icmp", 8), ("icmp6", 128): "echo-request"
        case ("icmp", 0), ("icmp6", 129): "echo-reply"
        case ("icmp", 3), ("icmp6", 1): "unreachable/\(code)"
        case ("icmp6", 2): "too-big"
        case ("icmp", 11), ("icmp6", 3): "time-exceeded"
        case ("icmp6", 133): "router-solicitation"
        case ("icmp6", 134): "router-advertisement"
        case ("icmp6", 135): "neighbour-solicitation"
        case ("icmp6", 136): "neighbour-advertisement"
        default: "type \(type)/\(code)"
        }
    }
}
