import Reports
import Terminal

/// A line for each check, what to do below it; then the programs that others have on the interfaces' hooks.
public struct DoctorView: Sendable {
    public var output: TerminalOutput
    public init(output: TerminalOutput) { self.output = output }

    public func text(_ report: DoctorReport) -> String {
        let width = report.checks.map { TerminalText.width($0.name) }.max() ?? 0
        let indent = String(repeating: " ", count: 6 + width + 2)
        var text = ""
        for check in report.checks {
            let (word, style) = Self.mark(check.status)
            let found = check.found.split(separator: "\n").map { TerminalText.printable(String($0)) }.joined(separator: "\n" + indent)
            text += output.styled(word, style) + "  " + TerminalText.padded(check.name, to: width) + "  " + found
            if let use = check.use { text += " → " + TerminalText.printable(use) }
            text += "\n"
            if let fix = check.fix { text += indent + output.styled("fix: " + TerminalText.printable(fix), style) + "\n" }
            if check.name == "interfaces" { text += others(report.interfaces, indent) }
        }
        let failed = report.checks.count { $0.status == .fail }
        let warned = report.checks.count { $0.status == .warn }
        let verdict = failed == 0 ? "nilo \(report.version) can work here" : "nilo \(report.version) cannot work here as configured"
        text += output.styled(verdict, failed == 0 ? .green : .red) + ": \(failed) failed, \(warned) to be looked at\n"
        return text
    }

    private func others(_ interfaces: [DoctorReport.Interface], _ indent: String) -> String {
        interfaces.flatMap { interface in
            interface.others.map { indent + TerminalText.printable("\(interface.name) also has \($0)") + "\n" }
        }.joined()
    }

    private static func mark(_ status: DoctorReport.Status) -> (String, TextStyle) {
        switch status {
        case .ok: ("ok  ", .green)
        case .warn: ("warn", .yellow)
        case .fail: ("FAIL", .red)
        }
    }
}
