import NetworkTypes
import Reports
import Terminal

/// Interfaces as a table, or each with its whole ledger.
public struct InterfaceListView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    public func text(_ list: InterfaceListReport) -> String {
        guard !list.interfaces.isEmpty else { return "no interfaces are measured\n" }
        var table = Table([
            .init("INTERFACE", shrinksTo: 8), .init("NAMESPACE", shrinksTo: 4, dropRank: Self.namespaceRank(list)),
            .init("BY", dropRank: 1), .init(numbers.title("IN", unit: "b/s"), right: true),
            .init(numbers.title("OUT", unit: "b/s"), right: true),
            .init("IN TOTAL", right: true, dropRank: 2), .init("OUT TOTAL", right: true, dropRank: 2), .init("NO FLOW", right: true),
            .init("BOOKS"),
        ])
        table.narrowGap = 1
        for interface in list.interfaces {
            let overflow = [interface.ingress, interface.egress].flatMap(\.overflow).reduce(0) { $0 + $1.totals.skbs }
            table.append([
                .init(interface.name, interface.closedAt == nil ? nil : .dim), .init(interface.namespace ?? "-"),
                .init(interface.attachment),
                .init(numbers.rate(interface.ingressBitsPerSecond)), .init(numbers.rate(interface.egressBitsPerSecond)),
                .init(numbers.bytes(interface.ingress.seen.wireBytes)), .init(numbers.bytes(interface.egress.seen.wireBytes)),
                .init(String(overflow), overflow > 0 ? .yellow : nil), Self.verdict(interface),
            ])
        }
        return table.text(for: output)
    }

    /// In a narrow terminal the column goes first when it says nothing, and last when it tells interfaces of one name apart.
    static func namespaceRank(_ list: InterfaceListReport) -> Int { list.interfaces.contains { $0.namespace != nil } ? 9 : 0 }

    /// Whether the books of both directions close, and agree with the device.
    static func verdict(_ interface: InterfaceReport) -> Table.Cell {
        let both = [interface.ingress, interface.egress]
        if !both.allSatisfy(\.closes) { return .init("do not close", .red) }
        if both.contains(where: { $0.agreesWithDevice == false }) { return .init("device differs", .yellow) }
        return interface.closedAt == nil ? .init("close", .green) : .init("closed", .dim)
    }

    /// Every term of the books of one interface.
    public func ledger(_ interface: InterfaceReport) -> String {
        var text = output.styled(TerminalText.printable(interface.name), .bold) + " (\(interface.attachment), since \(interface.attachedAt)"
        if let closed = interface.closedAt { text += ", until \(closed)" }
        if let namespace = interface.namespace { text += ", in \(TerminalText.printable(namespace))" }
        text += ")\n"
        let ways = [("ingress", interface.ingress), ("egress", interface.egress)]
        var table = Table([
            .init("TERM"), .init("SKBS", right: true), .init("BYTES", right: true), .init("WIRE PACKETS", right: true),
            .init("WIRE BYTES", right: true),
        ])
        for (name, ledger) in ways {
            table.append([.init(name, .bold), "", "", "", ""])
            add(ledger, to: &table)
        }
        text += table.text(for: output)
        for (name, ledger) in ways {
            let remarks = ledger.remarks.filter { $0.count > 0 }.map { "\($0.remark) \($0.count)" }
            if !remarks.isEmpty { text += output.styled("\(name), of these: " + remarks.joined(separator: ", "), .dim) + "\n" }
        }
        if ways.contains(where: { $0.1.differences.contains { $0.isShown && $0.bytes == nil } }) {
            text += output.styled("?: how many bytes that were nobody counts", .dim) + "\n"
        }
        let drops = (interface.drops ?? []).sorted { $0.skbs > $1.skbs }.map { "\($0.reason) \($0.skbs)" }
        if !drops.isEmpty { text += output.styled("dropped by the kernel: " + drops.joined(separator: ", "), .dim) + "\n" }
        return text
    }

    private func add(_ ledger: LedgerReport, to table: inout Table) {
        func add(_ name: String, _ totals: TotalsReport, _ style: TextStyle? = nil) {
            table.append([
                .init("  " + name, style), .init(String(totals.skbs)), .init(String(totals.skbBytes)), .init(String(totals.wirePackets)),
                .init(String(totals.wireBytes)),
            ])
        }
        func rest(_ name: String, _ rest: LedgerReport.Rest, wire: LedgerReport.Rest? = nil, _ style: TextStyle?) {
            table.append([
                .init("  " + name, style), .init(Self.signed(rest.packets)), .init(Self.signed(rest.bytes)),
                .init(wire.map { Self.signed($0.packets) } ?? ""), .init(wire.map { Self.signed($0.bytes) } ?? ""),
            ])
        }
        add("seen", ledger.seen)
        add("  in slots", ledger.inSlots)
        add("  retired", ledger.retired)
        for overflow in ledger.overflow { add("  no flow: \(overflow.reason)", overflow.totals, overflow.totals.skbs > 0 ? .yellow : nil) }
        rest("  unaccounted", ledger.unaccounted, wire: ledger.unaccountedWire, ledger.closes ? nil : .red)
        for difference in ledger.differences where difference.isShown {
            table.append([
                .init("  \(difference.name)"), .init(Self.signed(difference.packets)), .init(difference.bytes.map(Self.signed) ?? "?"), "",
                "",
            ])
        }
        if let notSeen = ledger.notSeenAtHook {
            rest("not seen at the hook", notSeen, ledger.agreesWithDevice == true ? nil : .yellow)
        }
        if let device = ledger.device {
            let wire = device.counts == LedgerReport.Counting.wire.rawValue
            let (packets, bytes) = (String(device.packets &- device.baselinePackets), String(device.bytes &- device.baselineBytes))
            table.append([
                .init("  device, since attached"), .init(wire ? "" : packets), .init(wire ? "" : bytes), .init(wire ? packets : ""),
                .init(wire ? bytes : ""),
            ])
            if device.baselineUnsurePackets > 0 {
                table.append([
                    .init("    baseline unsure by"), .init("±\(device.baselineUnsurePackets)"), .init("±\(device.baselineUnsureBytes)"), "",
                    "",
                ])
            }
        }
    }

    private static func signed(_ value: Int64) -> String { value > 0 ? "+\(value)" : String(value) }
}

extension LedgerReport.Difference {
    fileprivate var isShown: Bool { packets != 0 || bytes ?? 0 != 0 }
}
