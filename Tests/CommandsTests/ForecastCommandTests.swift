import Foundation
import NetworkTypes
import Testing

@testable import Commands

/// `nilo forecast` of an agent's history.
struct ForecastCommandTests {
    private struct Outcome {
        var code: ExitCode
        var out: String
        var err: String
    }

    /// Off the pool of tasks: verbs block.
    private static func run(_ words: String...) async throws -> Outcome {
        let agent = try FakeAgent()
        return await withCheckedContinuation { continuation in
            Thread {
                let screen = Screen()
                let environment = [AgentConnection.environmentVariable: agent.socket]
                let code = NiloCommands.table.run(words, context: screen.context(width: 80, environment: environment))
                withExtendedLifetime(agent) {}
                continuation.resume(returning: Outcome(code: code, out: screen.written, err: screen.complaints))
            }.start()
        }
    }

    private static func report(_ outcome: Outcome) throws -> ForecastReport {
        try JSONDecoder().decode(ForecastReport.self, from: Data(outcome.out.utf8))
    }

    /// What comes is where the pattern says, in its own hour.
    @Test func aDailyPatternIsForetold() async throws {
        let outcome = try await Self.run("forecast", "--horizon", "12h", "--json")
        #expect(outcome.code == .success, "\(outcome.err)")
        let report = try Self.report(outcome)
        #expect(report.key == "total" && report.unit == "bit/s" && report.stepSeconds == 300 && report.levels.count == 11)
        #expect(report.directions.map(\.direction) == ["to-servers", "from-servers"])
        let start = Double(try #require(Timestamp(rfc3339: report.from)).nanoseconds / 1_000_000_000)
        #expect(Int(start) % 300 == 0)
        let forward = report.directions[0]
        #expect(forward.samplesPerDay == 288 && forward.measured == 4032 && (forward.errorAgainstNaive ?? 2) <= 1.1)
        let quantiles = try #require(forward.quantiles)
        #expect(quantiles.count == 144 && quantiles.allSatisfy { $0 == $0.sorted() && $0.count == 11 })
        for (index, step) in quantiles.enumerated() {
            let expected = 100e6 + 50e6 * sin(2 * .pi * (start + Double(index) * 300) / 86_400)
            #expect(abs(step[5] - expected) < 3e6, "\(index): \(step[5]) beside \(expected)")
        }
        // What never changes is expected to go on.
        #expect(try #require(report.directions[1].quantiles).allSatisfy { abs($0[5] - 1e6) < 1e3 })
    }

    @Test func itIsShownAsAFan() async throws {
        let outcome = try await Self.run("forecast", "eth0")
        let lines = outcome.out.split(separator: "\n").map(String.init)
        #expect(outcome.code == .success && lines[0].hasPrefix("eth0 received  now "))
        #expect(lines.contains { $0.hasPrefix("eth0 sent  now ") } && lines.allSatisfy { $0.count <= 80 })
        let row = try #require(lines.first { $0.contains("15m") })
        #expect(row.contains("Mb/s") && row.contains("█"))
        #expect(lines.contains { $0.hasPrefix("by 4032 of 4032 steps of 5m") })
    }

    /// The longest step that there is history for; and where there is hardly any, why nothing is said.
    @Test func aYoungHistoryIsLookedAtMoreFinely() async throws {
        let young = try Self.report(await Self.run("forecast", "young", "--json", "--packets"))
        #expect(young.stepSeconds == 10 && young.unit == "packet/s" && young.directions[0].measured == 40)
        #expect((young.directions[0].quantiles?.count ?? 0) > 0)
        let new = try await Self.run("forecast", "new")
        #expect(new.code == .success && new.out.contains("no forecast: 3 values are too few, it takes 24"))
        let nothing = try await Self.run("forecast", "nothing")
        #expect(nothing.code == .failed && nothing.err.contains("the history has nothing of nothing"))
    }

    @Test(arguments: [
        (["forecast", "--horizon", "7d"], "--horizon"), (["forecast", "--step", "10s", "--horizon", "24h"], "2016 are the most"),
        (["forecast", "--batch", "x"], "--data DIR"), (["forecast", "--batch", "x", "--data", "y", "--step", "5m"], "--step does not go"),
        (["forecast", "eth0", "--batch", "x", "--data", "y"], "eth0 does not go"), (["forecast", "a", "b"], "\"b\" is one too many"),
    ])
    func whatDoesNotGoTogetherIsRefused(words: [String], reason: String) async throws {
        let screen = Screen()
        let agent = try FakeAgent()
        let environment = [AgentConnection.environmentVariable: agent.socket]
        let code = NiloCommands.table.run(words, context: screen.context(environment: environment))
        #expect(code == .usage && screen.complaints.contains(reason), "\(screen.complaints)")
    }
}
