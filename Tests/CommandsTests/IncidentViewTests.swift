import Reports
import Terminal
import Testing

@testable import Commands

struct IncidentViewTests {
    /// Of hundreds of suspicions a screen tells a few, and how many there are.
    @Test func aCrowdFitsAScreen() {
        let members = (0..<64).map { number in
            IncidentReport.Member(
                key: "port-scan/\(number)", name: "port-scan/10.0.0.\(number)", kind: "port-scan", start: "2026-03-01T11:58:00Z", end: nil,
                probability: 0.99, unlikelihood: 10, unit: "", expected: nil, expectedLow: nil, expectedHigh: nil, extreme: nil,
                evidence: "tried in vain 1000")
        }
        let incident = IncidentReport(
            id: 7, start: "2026-03-01T11:58:00Z", end: nil, probability: 0.99, unlikelihood: 10, members: members, more: 300,
            contributors: [], verdict: nil)
        let view = IncidentView(output: TerminalOutput(isTerminal: true, width: 80, color: false))
        let lines = view.text(IncidentEventReport(event: "began", incident: incident)).split(separator: "\n")
        #expect(
            lines.contains("  and 359 more series") && lines.count { $0.contains("tried in vain") } == 5 && lines.count < 15, "\(lines)")
    }
}
