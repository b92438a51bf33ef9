import Foundation
import Forecasting
import Testing

@testable import Agent
@testable import Foresight

struct ForesightFolderTests {
    private static func place() -> String { NSTemporaryDirectory() + "nilo-foresight-\(UUID().uuidString.prefix(8))" }

    private static func record() throws -> ForecastRecord {
        let values = (0..<60).map { Float($0 % 7) }
        var record = ForecastRecord()
        record.keep(try ForecastModel(fitting: values, stepSeconds: 300, horizon: 1).forecast(after: values), after: 9) { _ in 1 }
        record.settle(10, 3)
        return record
    }

    @Test func whatIsKeptComesBack() throws {
        let path = Self.place()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try ForesightFolder(path: path)
        #expect(try folder.readIncidents() == nil && folder.readRecords().isEmpty)
        var book = IncidentBook()
        book.silence(Silence(pattern: "é*", until: 7))
        let member = Incident.Member(key: "level>cpu", kind: "spike", start: 1, probability: 0.9, unlikelihood: 3)
        _ = book.begin(member, at: 8, look: 60) { .init(subject: $0, unit: "%") }
        try folder.write(book)
        #expect(try folder.readIncidents()?.book == book)
        let record = try Self.record()
        try folder.write([("bytes>total", record), ("bytes>é", ForecastRecord())])
        #expect(try folder.readRecords() == ["bytes>total": record, "bytes>é": ForecastRecord()])
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == ["forecasts", "incidents.json"])
    }

    /// Whatever became of the file: it is said, and nothing is read out of it that was not written.
    @Test func damageIsNoticed() throws {
        let path = Self.place()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try ForesightFolder(path: path)
        try folder.write([("bytes>total", try Self.record())])
        let file = URL(fileURLWithPath: path + "/forecasts")
        let whole = try Data(contentsOf: file)
        for count in [0, 5, 17, 24, whole.count / 2, whole.count - 1] {
            try whole.prefix(count).write(to: file)
            #expect(throws: AgentFailure.self) { try folder.readRecords() }
        }
        for place in stride(from: 0, to: whole.count, by: 97) {
            var broken = whole
            broken[place] ^= 0x10
            try broken.write(to: file)
            #expect(throws: AgentFailure.self) { try folder.readRecords() }
        }
        try Data("{\"incidents\": 5}".utf8).write(to: URL(fileURLWithPath: path + "/incidents.json"))
        #expect(throws: AgentFailure.self) { try folder.readIncidents() }
    }

    /// Pipes in the place of files: what was is not known, and what is is kept.
    @Test(.timeLimit(.minutes(1))) func aPipeHoldsUpNobody() throws {
        let path = Self.place()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try ForesightFolder(path: path)
        for name in ["incidents.json", "forecasts", "incidents.json.new", "forecasts.new"] {
            #expect(mkfifo("\(path)/\(name)", 0o600) == 0)
        }
        let error = #expect(throws: AgentFailure.self) { try folder.readIncidents() }
        #expect(error?.why == "it is not a regular file")
        #expect(throws: AgentFailure.self) { try folder.readRecords() }
        try folder.write(IncidentBook())
        try folder.write([("bytes>total", ForecastRecord())])
        #expect(try folder.readIncidents()?.book == IncidentBook() && folder.readRecords().count == 1)
    }

    @Test func aFolderThatCannotBeIsRefused() throws {
        #expect(throws: AgentFailure.self) { try ForesightFolder(path: "/proc/nothing/here") }
        #expect(throws: AgentFailure.self) { try ForesightFolder(path: "/dev/null/x") }
    }
}
