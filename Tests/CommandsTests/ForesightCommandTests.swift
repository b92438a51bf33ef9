import Foundation
import NetworkTypes
import Reports
import Testing

@testable import Commands

/// `nilo forecast` and `nilo anomalies`, beside a fake agent.
struct ForesightCommandTests {
    private struct Outcome {
        var code: ExitCode
        var out: String
        var err: String
        var asked: [String]
    }

    /// Off the pool of tasks: verbs block.
    private static func run(_ words: String..., width: Int = 80) async throws -> Outcome { try await run(words, width: width) }

    private static func run(_ words: [String], width: Int = 80) async throws -> Outcome {
        let agent = try FakeAgent()
        return await withCheckedContinuation { continuation in
            Thread {
                let screen = Screen()
                let environment = [AgentConnection.environmentVariable: agent.socket]
                let code = NiloCommands.table.run(words, context: screen.context(width: width, environment: environment))
                continuation.resume(
                    returning: Outcome(code: code, out: screen.written, err: screen.complaints, asked: agent.requests))
            }.start()
        }
    }

    // MARK: Forecasts

    @Test(arguments: [80, 60, 120]) func aFanIsDrawn(width: Int) async throws {
        let outcome = try await Self.run("forecast", "eth0", width: width)
        let lines = outcome.out.split(separator: "\n").map(String.init)
        #expect(outcome.code == .success && lines[0] == "eth0 received  now 98.9 Mb/s", "\(outcome.err)\(outcome.out)")
        #expect(lines.allSatisfy { $0.count <= width }, "\(outcome.out)")
        #expect(lines[1...].prefix(10).contains { $0.contains("•") } && lines.contains { $0.contains("░") && $0.contains("█") })
        let row = try #require(lines.first { $0.contains("3h ") })
        #expect(row.contains("Mb/s"))
        #expect(outcome.out.contains("by 280 of 288 steps of 5m, error 0.62 of what repeating yesterday has".prefix(40)))
        #expect(lines.contains("eth0 sent  now 0 b/s  nothing came, and nothing is expected"))
        #expect(outcome.asked == ["GET /v1/forecast?key=eth0&measure=bits"])
    }

    @Test func howFinelyAndHowFarIsAsked() async throws {
        let outcome = try await Self.run("forecast", "cpu", "--step", "1h", "--horizon", "2h", "--packets", "--json")
        let report = try JSONDecoder().decode(ForecastReport.self, from: Data(outcome.out.utf8))
        #expect(report.stepSeconds == 3600 && report.directions.count == 1 && report.directions[0].quantiles?.count == 2)
        #expect(
            outcome.asked == [
                "GET /v1/forecast?key=cpu&measure=packets&span=week", "GET /v1/forecast?key=cpu&measure=packets&span=week&steps=2",
            ])
        let text = try await Self.run("forecast", "cpu")
        #expect(text.out.hasPrefix("cpu  now 49.5 %\n"), "\(text.out)")
    }

    @Test func wordsFollowWhatNaiveWas() async throws {
        #expect(try await Self.run("forecast", "eth0").out.contains("error 0.71 of repeating the day\n  before"))
        #expect(try await Self.run("forecast", "young").out.contains("error 0.71 of repeating the last\n  value"))
    }

    /// What is old is not called now.
    @Test func aLateForecastSaysSo() async throws {
        let late = try await Self.run("forecast", "late").out
        #expect(late.hasPrefix("late received  last 98.9 Mb/s\nwhat came in the last 20m is not in it: the agent is behind\n"), "\(late)")
        #expect(!late.contains(" now"))
        #expect(try await Self.run("forecast", "eth0").out.split(separator: "\n").contains { $0.contains("  now") && $0.contains("in 1d") })
    }

    @Test func whatCannotBeSaidIsSaid() async throws {
        let new = try await Self.run("forecast", "new")
        #expect(new.code == .success && new.out.contains("no forecast: 3 values are too few, it takes 24"))
        let nothing = try await Self.run("forecast", "nothing")
        #expect(nothing.code == .failed && nothing.err.contains("nothing is not watched") && nothing.err.contains("hint: watched are"))
    }

    /// Every number of the picture is one, and it is well-formed.
    @Test func aPictureIsDrawn() async throws {
        let outcome = try await Self.run("forecast", "--format", "svg", "a<b")
        #expect(outcome.code == .success && outcome.out.hasPrefix("<?xml") && outcome.out.hasSuffix("</svg>\n"))
        #expect(!outcome.out.contains("nan") && !outcome.out.contains("inf") && outcome.out.contains("a&lt;b received"))
        #expect(outcome.out.split(separator: "<path").count > 10)
        // A veil on each side of the gap; what was kept once an hour is a staff each, and nothing is joined across hours.
        let groups = outcome.out.components(separatedBy: "<g>").dropFirst()
        let hour = try #require(groups.first { $0.contains("what was forecast 1h before") }?.components(separatedBy: "</g>")[0])
        let day = try #require(groups.first { $0.contains("what was forecast 1d before") }?.components(separatedBy: "</g>")[0])
        #expect(hour.components(separatedBy: "<path").count == 3 && hour.components(separatedBy: "Z\"").count == 3)
        #expect(day.components(separatedBy: "<path").count == 1 + 23 && !day.contains("Z\""))
        // Round numbers beside it.
        #expect(outcome.out.contains(">50.0 Mb/s<") && outcome.out.contains(">200 Mb/s<"))
    }

    @Test func howForecastsDidIsAList() async throws {
        let outcome = try await Self.run("forecast", "accuracy", "-n", "5")
        #expect(outcome.code == .success && outcome.asked == ["GET /v1/forecast/accuracy?measure=bits&top=5"])
        let lines = outcome.out.split(separator: "\n").map(String.init)
        #expect(lines[0].hasPrefix("SERIES") && lines.allSatisfy { $0.count <= 80 }, "\(outcome.out)")
        #expect(lines[1].contains("all traffic to servers") && lines[1].contains("0.71") && lines[1].contains("90 %"))
        #expect(lines[3].hasPrefix("cpu ") && outcome.out.contains("no room for 3"))
        #expect(try await Self.run("forecast", "accuracy", "cpu").asked == ["GET /v1/forecast/accuracy?key=cpu&measure=bits&top=20"])
    }

    @Test(arguments: [
        (["forecast", "--step", "2m"], "--step cannot be \"2m\""),
        (["forecast", "--step", "10s", "--horizon", "24h"], "2016 are the most"),
        (["forecast", "--batch", "x"], "--data DIR"), (["forecast", "--batch", "x", "--data", "y", "--step", "5m"], "--step does not go"),
        (["forecast", "eth0", "--batch", "x", "--data", "y"], "eth0 does not go"), (["forecast", "a", "b"], "\"b\" is one too many"),
        (["forecast", "accuracy", "--horizon", "1h"], "--horizon does not go with accuracy"), (["forecast", "-n", "3"], "--top goes with"),
        (["forecast", "--json", "--format", "svg"], "are two things"), (["anomalies", "ack"], "takes the number of an incident"),
        (["anomalies", "ack", "x"], "is not the number"), (["anomalies", "ack", "7", "--since", "1h"], "--since does not go with ack"),
        (["anomalies", "wtch"], "did you mean watch?"), (["anomalies", "--since", "soon"], "is not a moment"),
        (["anomalies", "silence", "x", "--for", "1000h"], "--for wants a time"), (["anomalies", "--batch", "x"], "--out OUT"),
    ])
    func whatDoesNotGoTogetherIsRefused(words: [String], reason: String) async throws {
        let outcome = try await Self.run(words)
        #expect(outcome.code == .usage && outcome.err.contains(reason), "\(outcome.err)")
    }

    // MARK: Anomalies

    @Test func incidentsAreTold() async throws {
        let outcome = try await Self.run("anomalies", "--since", "2h")
        let lines = outcome.out.split(separator: "\n").map(String.init)
        #expect(outcome.code == .success && lines[0].hasPrefix("#7 ") && lines[0].contains("and goes on, probability 0.97"))
        #expect(lines[2].contains("spike") && lines[2].contains("25.0 Mb/s") && lines[2].contains("3.0 Mb/s to 5.0 Mb/s"), "\(outcome.out)")
        #expect(lines.contains { $0.contains("by 95 % conversation 10.0.0.9 – 10.0.0.1: 1.0 Mb/s to 21.0 Mb/s") }, "\(outcome.out)")
        #expect(lines.contains("  now vm:backup received"), "\(outcome.out)")
        #expect(lines.contains("  10.0.0.9 tried 1000 ports of 10.0.0.1") && lines.contains { $0.hasSuffix(": *backup*") })
        #expect(lines.last == "1.50 incidents a day, 0.25 of them false alarms; 1 anomaly silenced")
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test func theyAreWatched() async throws {
        let outcome = try await Self.run("anomalies", "watch")
        #expect(outcome.out.hasPrefix("+ #7 ") && outcome.out.contains("\n- #7 ") && outcome.err.contains("the agent ended it"))
        let lines = try await Self.run("anomalies", "watch", "--json").out.split(separator: "\n")
        #expect(lines.count == 3 && lines.allSatisfy { $0.hasPrefix("{") })
    }

    @Test func theyAreJudgedAndSilenced() async throws {
        let seen = try await Self.run("anomalies", "ack", "7")
        #expect(seen.out == "incident 7: seen\n" && seen.asked == ["POST /v1/anomalies/judge?id=7&verdict=seen"])
        let changed = try await Self.run("anomalies", "ack", "7", "--false")
        #expect(changed.out == "incident 7: a false alarm; before it was called seen\n")
        let json = try await Self.run("anomalies", "ack", "7", "--json")
        #expect(json.out == "{\n  \"id\" : 7,\n  \"verdict\" : \"seen\"\n}\n", "\(json.out)")
        let wrong = try await Self.run("anomalies", "ack", "8", "--false")
        #expect(wrong.code == .failed && wrong.err.contains("there is no incident 8"))
        #expect(wrong.asked == ["POST /v1/anomalies/judge?id=8&verdict=false-alarm"])
        let silence = try await Self.run("anomalies", "silence", "*backup*", "--for", "8h")
        #expect(silence.out == "*backup* is not told of for 8h\n  it matches nothing that is watched now; it is kept all the same\n")
        let named = try await Self.run("anomalies", "silence", "vm:va sent")
        #expect(named.out == "vm:va sent is not told of for 1h\n  *<netns-if/vm/va\n  now vm:va sent\n")
        #expect(silence.asked == ["POST /v1/anomalies/silence?pattern=*backup*&seconds=28800"])
        #expect(try await Self.run("anomalies", "unsilence", "x").asked == ["POST /v1/anomalies/silence?pattern=x&seconds=0"])
    }
}
