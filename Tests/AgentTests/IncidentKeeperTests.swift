import Configuration
import Foundation
import Logging
import NetworkTypes
import Reports
import Synchronization
import TestSupport
import Testing
import Topology

@testable import Agent
@testable import Anomalies
@testable import Foresight

struct IncidentKeeperTests {
    /// Who is posted to: how often, how much at most, and what.
    private final class Receiver: Sendable {
        struct Taken {
            var count = 0
            var longest = 0
            var events: [String] = []
        }
        let taken = Mutex(Taken())

        @Sendable func take(_ body: [UInt8], _ url: String) -> String? {
            let event = try? JSONDecoder().decode(IncidentEventReport.self, from: Data(body))
            taken.withLock {
                $0.count += 1
                $0.longest = max($0.longest, body.count)
                $0.events.append("\(event?.event ?? "?") \(event?.incident.id ?? 0)")
            }
            return nil
        }

        var events: [String] { taken.withLock { $0.events } }
    }

    private static func place() -> String { NSTemporaryDirectory() + "nilo-keeper-\(UUID().uuidString.prefix(8))" }

    private static func keeper(_ path: String, _ receiver: Receiver, log: Log = Log(level: .error)) throws -> IncidentKeeper {
        let yaml = Array("anomalies: {webhook: \"http://127.0.0.1:9/hook\"}".utf8)
        let anomalies = try AgentConfiguration.parse(yaml, file: "test").anomalies
        return IncidentKeeper(anomalies, StepClock(day: 86_400), try ForesightFolder(path: path), log, post: receiver.take)
    }

    private static let start: Int64 = 1_790_000_000

    private static func scan(_ number: Int, at start: Int64, end: Int64? = nil) -> Incident.Member {
        .init(
            key: "port-scan/10.\(number >> 8).\(number & 255).9>10.9.0.1", kind: "port-scan", start: start, end: end, probability: 0.99,
            unlikelihood: 10, evidence: "tried in vain 1000 (984 to 1016), attempts 1000, most at 10.9.0.1")
    }

    private static func report(_ keeper: IncidentKeeper, _ member: Incident.Member, goesOn: Bool = false, at now: Int64) {
        keeper.report(member, goesOn: goesOn, relations: .init(subject: member.key, anchors: ["10.9.0.1"], unit: ""), at: now)
    }

    /// What this thread wrote, bytes (proc(5), io).
    private static func written() throws -> Int {
        let text = try String(contentsOfFile: "/proc/thread-self/io", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("wchar: ") })
        return try #require(Int(line.dropFirst(7)))
    }

    /// 450 spoofed scanners a minute for three minutes, each of a minute and told of every ten seconds.
    @Test func aFloodOfScansIsOneIncidentThatIsToldNowAndThen() async throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keeper = try Self.keeper(path, receiver)
        let before = try Self.written()
        let (count, seconds) = (1350, 180)
        func first(_ second: Int) -> Int { min(count, max(0, second) * count / seconds) }
        for second in 0..<seconds + 70 {
            let now = Self.start + Int64(second)
            for number in first(second)..<first(second + 1) { Self.report(keeper, Self.scan(number, at: now), at: now) }
            for age in stride(from: 10, to: 60, by: 10) {
                for number in first(second - age)..<first(second - age + 1) {
                    Self.report(keeper, Self.scan(number, at: now - Int64(age)), goesOn: true, at: now)
                }
            }
            for number in first(second - 60)..<first(second - 59) {
                Self.report(keeper, Self.scan(number, at: now - 60, end: now), at: now)
            }
        }
        let bytes = try Self.written() - before
        let incidents = keeper.book.incidents
        #expect(incidents.count == 1 && incidents[0].members.count == 64 && incidents[0].more == count - 64)
        #expect(incidents[0].start == Self.start && (incidents[0].end ?? 0) >= Self.start + Int64(seconds))
        _ = try await eventually(within: .seconds(10)) { receiver.events.last == "ended 1" }
        let (posts, longest) = receiver.taken.withLock { ($0.count, $0.longest) }
        #expect(receiver.events.first == "began 1" && receiver.events.last == "ended 1", "\(receiver.events)")
        #expect(posts <= 30 && longest < 64_000 && bytes < 1_000_000, "\(posts) of \(longest) bytes, \(bytes) bytes")
        let kept = try #require(try ForesightFolder(path: path).readIncidents())
        #expect(kept.book[1]?.more == count - 64 && kept.dropped == 0)
    }

    @Test func whatBeginsAndEndsIsToldAtOnceAndOnDiskBefore() async throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keeper = try Self.keeper(path, receiver)
        let folder = try ForesightFolder(path: path)
        func waits(for events: [String]) async throws -> Bool {
            try await eventually(within: .seconds(10)) { receiver.events == events }
        }
        Self.report(keeper, Self.scan(1, at: Self.start), at: Self.start)
        #expect(try folder.readIncidents()?.book[1]?.members.count == 1)
        #expect(try await waits(for: ["began 1"]))
        // Changes wait for their turn, and are told in one.
        for number in 2..<10 { Self.report(keeper, Self.scan(number, at: Self.start + 2), at: Self.start + Int64(number)) }
        #expect(try folder.readIncidents()?.book[1]?.members.count == 1)
        Self.report(keeper, Self.scan(9, at: Self.start + 2), at: Self.start + 11)
        #expect(try await waits(for: ["began 1", "changed 1"]))
        #expect(try folder.readIncidents()?.book[1]?.members.count == 9)
        // The last end does not.
        for number in 1..<10 { Self.report(keeper, Self.scan(number, at: Self.start, end: Self.start + 13), at: Self.start + 13) }
        #expect(try await waits(for: ["began 1", "changed 1", "ended 1"]))
        #expect(try folder.readIncidents()?.book[1]?.end == Self.start + 13)
        // What nobody was told of is kept in the end, too.
        Self.report(keeper, Self.scan(10, at: Self.start + 8), at: Self.start + 14)
        keeper.stop()
        #expect(try folder.readIncidents()?.book[1]?.members.count == 10)
    }

    /// What is unusual about a trickle is not told, until it is a flood.
    @Test func whatGrowsIsToldOnceItIsLargeEnough() throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keeper = try Self.keeper(path, receiver)
        let key = SeriesKey(SeriesKey.total, .bits, isBackward: false).text
        var book = SeriesBook(StepClock(day: 1440), limit: 4, threshold: 3.5)
        var random = SplitMix64(seed: 5)
        var toldAt: Int64?
        for second in Int64(0)..<160 {
            let now = Self.start + second
            let bits = second < 120 ? Double.random(in: 950...1050, using: &random) : second < 135 ? 6000 : 400_000
            let findings = book.turn(.init(end: now, duration: 1, samples: [.init(key: key, value: bits, standing: .always)]))
            keeper.turn(findings, .empty, .none, at: now) { book[$0] }
            if toldAt == nil, !keeper.book.incidents.isEmpty { toldAt = second }
        }
        #expect(toldAt.map { (135...147).contains($0) } == true, "\(String(describing: toldAt))")
        let member = try #require(keeper.book.incidents.first?.members.first)
        #expect(member.key == key && (member.extreme ?? 0) > 300_000 && (119...122).contains(member.start - Self.start), "\(member)")
        #expect(keeper.book.incidents.count == 1 && keeper.book.incidents[0].members.count == 1)
    }

    /// A heavy hitter and the conversation that grew are one burst.
    @Test func whatPacketsGaveAwayAndWhatGrewAreOne() throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keeper = try Self.keeper(path, receiver)
        let hitter = "heavy-hitter/10.0.0.1>10.0.0.2"
        let member = Incident.Member(key: hitter, kind: "heavy-hitter", start: Self.start, probability: 0.99, unlikelihood: 10)
        keeper.report(member, relations: .init(ofSuspicion: hitter), at: Self.start)
        for (network, bits, incidents) in [(UInt32(0x0a00_0000), 9e6, 1), (0x0a00_0100, 2e6, 2)] {
            let ends = [1, 2].map { NodeKey.endpoint(.declared("lab"), .v4(network | $0)) }
            let talk = LinkKey(.talks, ends[0], ends[1], .flow(.udp, port: 7, application: nil))
            let spike = Anomaly(
                kind: .spike, start: Self.start + 1, end: nil, probability: 0.99, unlikelihood: 9,
                expected: ExpectedRange(value: 1e5, low: 0, high: 2e5), extreme: bits)
            let key = SeriesKey(talk.description, .bits, isBackward: false).text
            keeper.turn([.init(key: key, began: spike, ended: nil)], .empty, .none, at: Self.start + 2) { _ in nil }
            #expect(keeper.book.incidents.count == incidents, "\(keeper.book.incidents)")
        }
        #expect(IncidentBook.Relations(ofSuspicion: "port-scan/fd00::1>10.0.0.2@vni7").anchors == ["fd00::1", "10.0.0.2"])
        #expect(IncidentBook.Relations(ofSuspicion: "syn-flood/>10.0.0.2").anchors == ["10.0.0.2"])
        #expect(IncidentBook.Relations(ofSuspicion: "x").anchors.isEmpty)
    }

    /// What an agent's end closed stays closed as it was.
    @Test func anEndIsSaidOnce() async throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keeper = try Self.keeper(path, receiver)
        let now = Timestamp.now.nanoseconds / 1_000_000_000
        Self.report(keeper, Self.scan(1, at: now - 20), at: now - 20)
        let end = try #require(try Self.keeper(path, receiver).book[1]?.end)
        try await Task.sleep(for: .milliseconds(2100))
        #expect(try Self.keeper(path, receiver).book[1]?.end == end && end >= now)
    }

    /// What began and was over within a second is told as both.
    @Test func whatIsShortBeginsAndEnds() async throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keeper = try Self.keeper(path, receiver)
        var flood = Incident.Member(key: "syn-flood/>10.8.0.1", kind: "syn-flood", start: Self.start, probability: 0.99, unlikelihood: 10)
        func report(_ now: Int64) { keeper.report(flood, relations: .init(subject: flood.key, unit: ""), at: now) }
        // The second's one word is said.
        Self.report(keeper, Self.scan(1, at: Self.start), at: Self.start)
        report(Self.start)
        flood.end = Self.start
        report(Self.start)
        for second in 1..<3 { Self.report(keeper, Self.scan(1, at: Self.start), at: Self.start + Int64(second)) }
        let isTold = try await eventually(within: .seconds(10)) { receiver.events == ["began 1", "began 2", "ended 2"] }
        #expect(isTold, "\(receiver.events)")
    }

    /// Times that no clock shows end nobody who asks for incidents.
    @Test func aDamagedFileIsAskedFor() throws {
        let (path, receiver) = (Self.place(), Receiver())
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try ForesightFolder(path: path)
        let member = #"{"key": "a", "kind": "spike", "start": 1780000000, "end": 1780000060, "probability": 0.9, "unlikelihood": 5}"#
        let broken = [
            (member.replacing("1780000000", with: "1000000000000"), [1]),
            (member.replacing("1780000060", with: "9223372036854775807"), [1]), (member, [1, 2]),
        ]
        for (broken, ids) in broken {
            let text = """
                {"incidents": [{"id": 1, "contributors": [], "members": [\(member)]}, {"id": 2, "contributors": [], "members": [\(broken)]}],
                 "silences": [{"pattern": "x", "until": 99999999999999}], "silenced": 0, "nextID": -9223372036854775808}
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/incidents.json"))
            let (log, lines) = try SaidLog.make()
            let keeper = try Self.keeper(path, receiver, log: log)
            let report = IncidentListReport(keeper.book, since: Timestamp(nanoseconds: 0), at: .now)
            #expect(report.incidents.map(\.id) == ids.reversed() && report.silences.isEmpty && keeper.book.begun == ids.last)
            #expect(try lines().count { $0.contains("what is damaged of them is left out") } == 1)
        }
    }
}
