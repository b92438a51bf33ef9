import Reports
import Terminal

/// What was taken away; of a dry run, the commands alone, ready for a shell.
public struct CleanupView: Sendable {
    public var output: TerminalOutput
    public init(output: TerminalOutput) { self.output = output }

    public func text(_ report: CleanupReport) -> String {
        var text = ""
        for step in report.removed {
            let place = step.namespace.map { "  # in \($0)" } ?? ""
            text +=
                (report.dryRun
                ? step.command + place
                : (step.restores ? "put back " : "removed ") + step.what + (step.namespace.map { " in \($0)" } ?? "")).printableLine
        }
        for failure in report.failed {
            text +=
                output.styled(
                    (report.dryRun ? "# not seen: " : "failed: ") + TerminalText.printable("\(failure.step.what): \(failure.why)"), .red)
                + "\n"
        }
        for sentence in report.left {
            text += output.styled((report.dryRun ? "# " : "left: ") + TerminalText.printable(sentence), .yellow) + "\n"
        }
        if report.removed.isEmpty && report.failed.isEmpty {
            text = (report.dryRun ? "# nothing to clean up\n" : "nothing to clean up\n") + text
        }
        return text
    }
}

extension String {
    fileprivate var printableLine: String { TerminalText.printable(self) + "\n" }
}
