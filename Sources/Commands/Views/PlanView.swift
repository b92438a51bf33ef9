import NetworkTypes
import Reports
import Terminal

/// The steps from what is to what is wanted.
public struct PlanView: Sendable {
    public var output: TerminalOutput
    public init(output: TerminalOutput) { self.output = output }

    public func text(_ report: PlanReport) -> String {
        var text = ""
        var alike = 0..<0
        for (index, step) in report.steps.enumerated() {
            // Leaf classes come by the dozen and say the same.
            if !alike.contains(index) { alike = Self.run(of: report.steps, from: index) }
            if alike.count > 4, index > alike.lowerBound + 1, index < alike.upperBound - 1 {
                if index == alike.lowerBound + 2 {
                    text += output.styled("  … \(alike.count - 3) more like it (--json has all)", .dim) + "\n"
                }
                continue
            }
            let (sign, style): (String, TextStyle) =
                switch step.sign {
                case .add: ("+", .green)
                case .change: ("~", .yellow)
                case .remove: ("-", .red)
                }
            let rule = step.rule.map { TerminalText.printable($0) + ": " } ?? ""
            // Several commands for one thing stand below one title.
            if index == 0 || step.command == nil || step.reason != nil || !step.changes.isEmpty
                || !step.isTitled(as: report.steps[index - 1])
            {
                text += output.styled(sign, style) + " \(rule)\(TerminalText.printable(step.what))\n"
            }
            if let reason = step.reason { text += "    \(TerminalText.printable(reason))\n" }
            for change in step.changes {
                text += TerminalText.printable("    \(change.key): \(change.before) → \(change.after)") + "\n"
            }
            if let command = step.command { text += output.styled("    \(TerminalText.printable(command))", .dim) + "\n" }
        }
        for one in report.waiting { text += output.styled("… " + Self.text(one), .dim) + "\n" }
        for refusal in report.refusals {
            text += output.styled("✗ \(TerminalText.printable(refusal.rule)): \(TerminalText.printable(refusal.reason))", .red) + "\n"
            if let hint = refusal.hint { text += "  hint: \(TerminalText.printable(hint))\n" }
        }
        for remark in report.remarks { text += output.styled("! \(TerminalText.printable(remark))", .yellow) + "\n" }
        if !report.planned.isEmpty {
            let what = "planning of \(report.planned.joined(separator: ", ").visible)"
            text += "~ \(what) \(report.applied ? "goes by the new declaration" : "would go by the new declaration"): nilo planning\n"
        }
        return text + summary(report) + "\n"
    }

    /// `web: waits: eth1 is not there`.
    static func text(_ waiting: PlanReport.Waiting) -> String {
        TerminalText.printable("\(waiting.rule): \(waiting.inPart ? "not everywhere" : "waits"): \(waiting.reason)")
    }

    /// What becomes of files where nothing else does; nil: nothing.
    private static func files(_ report: PlanReport) -> String? {
        func each(_ names: [String], _ done: String, _ planned: String) -> String? {
            guard !names.isEmpty else { return nil }
            let what = !report.applied ? planned : report.confirmWithinSeconds == nil ? done : "\(done) once confirmed"
            return TerminalText.printable(names.joined(separator: ", ")) + " " + what
        }
        let parts = [each(report.filesWritten, "written", "to be written"), each(report.filesRemoved, "removed", "to be removed")]
        let said = parts.compactMap(\.self)
        return said.isEmpty ? nil : said.joined(separator: ", ")
    }

    /// The steps from `index` on that make, change or remove classes of one parent alike: leaves. A rule's own class is none of them.
    private static func run(of steps: [PlanReport.Step], from index: Int) -> Range<Int> {
        func isAlike(_ step: PlanReport.Step) -> Bool {
            step.rule == nil && step.what.hasPrefix("class ") && step.sign == steps[index].sign && parent(step) == parent(steps[index])
        }
        guard isAlike(steps[index]) else { return index..<index + 1 }
        return index..<(steps[index...].firstIndex { !isAlike($0) } ?? steps.endIndex)
    }

    /// Of a class, as its command names it.
    private static func parent(_ step: PlanReport.Step) -> Substring? {
        let words = step.command?.split(separator: " ") ?? []
        return words.firstIndex(of: "parent").flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
    }

    private func summary(_ report: PlanReport) -> String {
        func count(_ sign: PlanReport.Step.Sign) -> Int { report.steps.count { $0.sign == sign } }
        let pending = report.confirmWithinSeconds.map { "; taken back in \(Duration.seconds($0).short) unless you say: nilo confirm" } ?? ""
        if report.steps.isEmpty, let files = Self.files(report) {
            return (report.applied ? "applied: " : "plan: ") + files + "; nothing to change in the kernel" + pending
        }
        if report.steps.isEmpty, !report.planned.isEmpty { return "nothing to change in the kernel by this" + pending }
        if report.steps.isEmpty { return "nothing to change: the kernel is as the policy says" + pending }
        func number(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
        // A rule may take many: classes and leaf classes are a step each.
        let rules = Set(report.steps.compactMap(\.rule)).count
        let total = (rules > 0 ? number(rules, "rule") + ", " : "") + number(report.steps.count, "step")
        guard report.applied else {
            return "plan: \(total): \(count(.add)) to add, \(count(.change)) to change, \(count(.remove)) to remove"
        }
        return "applied: \(total): \(count(.add)) added, \(count(.change)) changed, \(count(.remove)) removed" + pending
    }
}

extension PlanReport.Step {
    fileprivate func isTitled(as other: PlanReport.Step) -> Bool {
        sign == other.sign && rule == other.rule && what == other.what && other.command != nil
    }
}
