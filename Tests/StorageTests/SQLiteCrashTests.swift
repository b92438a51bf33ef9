import Foundation
import NetworkTypes
import Storage
import TestSupport
import Testing

/// A writer that is killed while it writes without pause.
@Suite struct SQLiteCrashTests {
    /// A hundred times at random moments, always on the same file: it is sound, every epoch that was told is there, and none is half there.
    @Test(arguments: [UInt64(2026)]) func killedAtAnyMoment(_ seed: UInt64) async throws {
        let probe = try #require(builtProgram("storage-probe"))
        try await withStore(.sqlite) { site in
            var random = SplitMix64(seed: seed)
            var previous: UInt64 = 0
            var survived = 0
            for kill in 1...100 {
                let process = try BackgroundProcess([probe, "append", site.target])
                // A third of them near its start, when the file is opened and recovered; the others in the midst of its work.
                if kill % 3 > 0 {
                    let deadline = ContinuousClock.now + Duration.seconds(20).stretched
                    while try process.outputSoFar().isEmpty, ContinuousClock.now < deadline { usleep(1000) }
                }
                usleep(UInt32.random(in: 500...60_000, using: &random))
                let (output, status) = try process.stop(signal: SIGKILL)
                #expect(status == 128 + SIGKILL, "kill \(kill): \(output)")
                let told = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().compactMap { UInt64($0) }.last
                guard FileManager.default.fileExists(atPath: site.target) else {
                    #expect(told == nil)
                    continue
                }
                #expect(try RawSQLite(site.target).text("PRAGMA integrity_check") == "ok", "kill \(kill)")
                let reader = try SQLiteReader(path: site.target)
                let last = try reader.lastEpoch()?.number ?? 0
                #expect(last >= max(told ?? 0, previous), "kill \(kill): epoch \(told ?? 0) was told, \(last) is the last")
                if last > previous { survived += 1 }
                previous = last
                if last > 0 { try checkWhole(reader, last, "kill \(kill)") }
            }
            #expect(survived > 50, "most of them were killed in the middle of their work: \(survived)")
        }
    }

    private func checkWhole(_ reader: SQLiteReader, _ last: UInt64, _ moment: Comment) throws {
        let entities = try reader.entities(at: forever)
        #expect(entities.count == 20 && entities.allSatisfy { $0.state == bytes("\(last)") }, moment)
        // One version for each epoch, none missing, to the first: so of the first and the last entity, and of two series of two shards.
        for key in ["entity/0", "entity/19"] {
            let versions = try reader.history(of: key)
            #expect(versions.count == Int(last), moment)
            for (index, version) in versions.enumerated()
            where version.state != bytes("\(index + 1)") || version.validFrom != at(Double(index + 1)) {
                Issue.record("\(moment): version \(index) of \(key) is \(version)")
                return
            }
        }
        for key in ["series/0", "series/299"] {
            for resolution in [SeriesResolution.second, .minute] {
                let points = try reader.points(of: key, from: at(0), to: forever, resolution: resolution)
                let (count, sum) = points.reduce((UInt64(0), UInt64(0))) { total, point in
                    guard case .counter(let value) = point.sum else { return total }
                    return (total.0 + point.count, total.1 + value)
                }
                #expect(count == last && sum == last * (last + 1) / 2, moment)
            }
        }
    }
}
