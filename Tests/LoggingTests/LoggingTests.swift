import Foundation
import Synchronization
import Testing

@testable import Logging

private final class Recorder: Sendable {
    let bytes = Mutex<[UInt8]>([])
    let now = Mutex<Int64>(1_767_323_045_000_000_000)  // 2026-01-02T03:04:05Z
    /// How many bytes each write takes; nil: all.
    let room = Mutex<Int?>(nil)
    @Sendable func sink(_ piece: UnsafeRawBufferPointer) -> Int {
        let take = room.withLock { room -> Int in
            let take = min(room ?? .max, piece.count)
            room = room.map { $0 - take }
            return take
        }
        if take == 0 {
            errno = ENOSPC
            return -1
        }
        bytes.withLock { $0 += piece[..<take] }
        return take
    }
    var lines: [String] { bytes.withLock { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) } }
    func log(_ format: Log.Format, level: LogLevel = .info, burst: Int = 3) -> Log {
        Log(format: format, level: level, burst: burst, window: .seconds(10), clock: { self.now.withLock { $0 } }, sink: { self.sink($0) })
    }
}

@Suite struct LoggingTests {
    @Test func textAndLevels() {
        let recorder = Recorder()
        let log = recorder.log(.text)
        log.debug("unseen")
        log.info("interface attached", ["interface": "eth0", "id": 3])
        log.warning("map full", ["why": "no room = none", "empty": "", "up": true])
        #expect(
            recorder.lines == [
                "2026-01-02T03:04:05Z info  interface attached  interface=eth0 id=3",
                "2026-01-02T03:04:05Z warn  map full  why=\"no room = none\" empty=\"\" up=true",
            ])
    }

    @Test(arguments: [Log.Format.text, .json]) func aValueCannotForgeALine(_ format: Log.Format) {
        let recorder = Recorder()
        recorder.log(format).error("bad\nname", ["name": "x\n2026-01-02T03:04:05Z info  forged\u{1b}[2J\u{2028}\u{85}\"\\"])
        #expect(recorder.lines.count == 1)
        #expect(!recorder.lines[0].unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{2028}" || $0 == "\u{85}" })
    }

    @Test func jsonIsJSON() throws {
        let recorder = Recorder()
        recorder.log(.json).info("x \"y\"", ["id": -7, "time": "mine", "ok": false, "text": "tab\t\u{1}é"])
        let object = try #require(JSONSerialization.jsonObject(with: Data(recorder.lines[0].utf8)) as? [String: Any])
        #expect(object["time"] as? String == "2026-01-02T03:04:05Z" && object["field_time"] as? String == "mine")
        #expect(object["id"] as? Int == -7 && object["ok"] as? Bool == false && object["text"] as? String == "tab\t\u{1}é")
        #expect(object["message"] as? String == "x \"y\"" && object["level"] as? String == "info")
    }

    @Test func aFloodIsCountedNotWritten() {
        let recorder = Recorder()
        let log = recorder.log(.text)
        for _ in 0..<100 { log.error("ring full") }
        log.error("something else")
        #expect(recorder.lines.count == 4)
        recorder.now.withLock { $0 += 10_000_000_000 }
        log.error("ring full", ["cpu": 1])
        #expect(recorder.lines.last == "2026-01-02T03:04:15Z error ring full  cpu=1 suppressed=97")
        for _ in 0..<5 { log.error("ring full") }
        log.flushSuppressed()
        #expect(recorder.lines.last == "2026-01-02T03:04:15Z info  lines left out  of=\"ring full\" suppressed=3")
        let count = recorder.lines.count
        log.flushSuppressed()
        #expect(recorder.lines.count == count)
    }

    @Test func manyMessagesShareOneWindow() {
        var limit = RateLimit(burst: 1, window: 10)
        for key in 0..<1024 { #expect(limit.admit("\(key)", at: 0) == .pass(suppressed: 0)) }
        #expect(limit.admit("a", at: 0) == .pass(suppressed: 0) && limit.admit("b", at: 0) == .suppress)
        #expect(limit.admit("b", at: 10) == .pass(suppressed: 1))
    }

    @Test func linesThatCannotBeWrittenAreCounted() {
        let recorder = Recorder()
        recorder.room.withLock { $0 = 5 }
        let log = recorder.log(.text)
        log.info("a line")
        #expect(log.lost == 1)
    }

    @Test func timesAgreeWithFoundation() {
        let formatter = ISO8601DateFormatter()
        for seconds in stride(from: Int64(-3_000_000_000), to: 7_000_000_000, by: 86_399_123) + [
            0, 951_782_400, 1_709_164_799, 4_107_542_400,
        ] {
            #expect(timestamp(seconds * 1_000_000_000) == formatter.string(from: Date(timeIntervalSince1970: Double(seconds))))
        }
        #expect(timestamp(-1) == "1969-12-31T23:59:59Z")
    }
}

@Suite struct AuditLogTests {
    @Test func whoWhatAndTheResult() throws {
        let path = NSTemporaryDirectory() + "audit-\(UUID()).log"
        defer { unlink(path) }
        for _ in 0..<2 {
            let audit = try AuditLog(path: path)
            #expect(audit.record("attach", by: .peer(pid: 12, uid: 1000), result: .done, ["interface": "eth0"]))
            #expect(audit.record("detach", by: .agent("configuration"), result: .failed("busy")))
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 4)
        let first = try #require(JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(
            first["message"] as? String == "attach" && first["uid"] as? Int == 1000 && first["pid"] as? Int == 12
                && first["result"] as? String == "done")
        #expect(lines[3].contains("\"reason\":\"configuration\"") && lines[3].contains("\"why\":\"busy\""))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
    }

    @Test func aFullDiskIsCountedAndSaid() {
        let recorder = Recorder()
        let audit = AuditLog(clock: { 0 }, sink: { recorder.sink($0) })
        #expect(audit.record("first", by: .agent("x"), result: .done))
        recorder.room.withLock { $0 = 20 }
        #expect(!audit.record("second", by: .agent("x"), result: .done))
        #expect(!audit.record("third", by: .agent("x"), result: .done))
        #expect(audit.lost == 2)
        recorder.room.withLock { $0 = nil }
        #expect(audit.record("fourth", by: .agent("x"), result: .done))
        #expect(audit.record("fifth", by: .agent("x"), result: .done))
        #expect(recorder.lines.count == 4 && recorder.lines[1].utf8.count == 20)
        #expect(recorder.lines[2].contains("\"fourth\"") && recorder.lines[2].hasSuffix("\"lost_before\":2}"))
        #expect(!recorder.lines[3].contains("lost_before") && audit.lost == 2)
    }

    @Test func theKernelsFullDevice() throws {
        let audit = try AuditLog(path: "/dev/full")
        #expect(!audit.record("change", by: .agent("x"), result: .done) && audit.lost == 1)
    }

    @Test func aLinkIsNotFollowed() throws {
        let path = NSTemporaryDirectory() + "audit-link-\(UUID())"
        #expect(symlink("/dev/null", path) == 0)
        defer { unlink(path) }
        #expect(throws: AuditLogError(path: path, code: ELOOP)) { try AuditLog(path: path) }
    }
}
