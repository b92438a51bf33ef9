import Foundation
import NetworkTypes
import Storage
import TestSupport
import Testing
import Topology

/// What becomes of the file: made, migrated, refused, locked, damaged.
@Suite struct SQLiteFileTests {
    /// A file of schema 1, as the release before wrote it: without the table of gaps.
    @Test func anOlderSchemaIsMigrated() async throws {
        try await withStore(.sqlite) { site in
            try site.open().append(StoredEpoch(1, 10, "a=1", samples: [SeriesSample(key: "s", value: .counter(5))]))
            try RawSQLite(site.target).run("DROP TABLE gap; PRAGMA user_version=1; PRAGMA wal_checkpoint(TRUNCATE)")
            // A reader may not write, so it says what it waits for.
            #expect(try reason { _ = try site.reader() } == .busy)
            let store = try site.open()
            #expect(try store.picture(10) == "a=1" && store.gaps(from: at(0), to: forever).isEmpty)
            try store.append(StoredEpoch(2, 20, "a=1", resumes: true))
            #expect(try store.gaps(from: at(0), to: forever).count == 1 && site.reader().story("a") == "1@10..")
            #expect(try RawSQLite(site.target).text("PRAGMA user_version") == "2")
        }
    }

    @Test func aNewerSchemaIsRefusedAndLeftAlone() async throws {
        try await withStore(.sqlite) { site in
            try site.open().append(StoredEpoch(1, 10, "a=1"))
            try RawSQLite(site.target).run("PRAGMA user_version=99; PRAGMA wal_checkpoint(TRUNCATE)")
            let before = try Data(contentsOf: URL(fileURLWithPath: site.target))
            for open in [{ _ = try site.open() }, { _ = try site.reader() }] as [() throws -> Void] {
                #expect(try reason(open) == .newerSchema(found: 99, known: 2))
            }
            #expect(try Data(contentsOf: URL(fileURLWithPath: site.target)) == before)
        }
    }

    @Test func whatIsSomeoneElsesIsRefusedAndLeftAlone() async throws {
        try await onOwnThread {
            let folder = TemporaryFolder()
            defer { folder.remove() }
            let text = folder.path + "/text"
            try Data(repeating: 65, count: 5000).write(to: URL(fileURLWithPath: text))
            let short = folder.path + "/short"
            try Data("SQLite format 3\0".utf8).write(to: URL(fileURLWithPath: short))
            let other = folder.path + "/other"
            try RawSQLite(other).run("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
            for path in [text, short, other] {
                let before = try Data(contentsOf: URL(fileURLWithPath: path))
                for open in [{ _ = try SQLiteStore(path: path) }, { _ = try SQLiteReader(path: path) }] as [() throws -> Void] {
                    #expect(try reason(open) == .foreign, "\(path)")
                }
                #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
            }
            #expect(try reason { _ = try SQLiteStore(path: folder.path) } == .foreign)
            do throws(StorageError) {
                _ = try SQLiteStore(path: text)
            } catch {
                #expect(error.description.contains(text) && error.hint != nil && !error.mayPass)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["other", "short", "text"])
        }
    }

    @Test func whereThereIsNothing() async throws {
        try await onOwnThread {
            let folder = TemporaryFolder()
            defer { folder.remove() }
            let path = folder.path + "/history.db"
            #expect(try reason { _ = try SQLiteReader(path: path) } == .missing)
            #expect(try reason { _ = try SQLiteStore(path: folder.path + "/no/history.db") } == .missing)
            // What `touch` leaves, and what a crash while the file was made.
            try Data().write(to: URL(fileURLWithPath: path))
            try Data("half a file".utf8).write(to: URL(fileURLWithPath: path + ".new"))
            try SQLiteStore(path: path).append(StoredEpoch(1, 1, "a=1"))
            #expect(try SQLiteReader(path: path).picture(1) == "a=1")
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o640)
        }
    }

    @Test func aDamagedFileIsToldByName() async throws {
        try await withStore(.sqlite) { site in
            var random = SplitMix64(seed: 5)
            for number in 1...40 {
                let changes = (0..<100).map { EntityChange(key: "entity/\($0)", state: random.bytes(200)) }
                try site.open().append(StoredEpoch(number: UInt64(number), time: at(Double(number)), changes: changes))
            }
            var data = try Data(contentsOf: URL(fileURLWithPath: site.target))
            #expect(data.count > 400_000)
            for offset in stride(from: 40_000, to: data.count - 2000, by: 4096) {
                data.replaceSubrange(offset..<offset + 2000, with: random.bytes(2000))
            }
            try data.write(to: URL(fileURLWithPath: site.target))
            let reader = try SQLiteReader(path: site.target)
            do throws(StorageError) {
                for second in 1...40 { _ = try reader.entities(at: at(Double(second))) }
                Issue.record("the damage was not noticed")
            } catch {
                #expect(error.reason == .corrupt && error.description.contains(site.target) && !error.mayPass, "\(error)")
            }
        }
    }

    /// Bits flipped anywhere in the file: what is read as a state is one that was written, or the damage is told.
    @Test(arguments: [UInt64(1), 2, 3]) func damageNeverReadsAsHistory(_ seed: UInt64) async throws {
        try await withStore(.sqlite) { site in
            var random = SplitMix64(seed: seed)
            var written: Set<[UInt8]> = []
            do {
                let store = try site.open()
                for number in 1...200 {
                    let changes = (0..<30).map { EntityChange(key: "entity/\($0)", state: random.bytes(60)) }
                    written.formUnion(changes.compactMap(\.state))
                    try store.append(StoredEpoch(number: UInt64(number), time: at(Double(number)), changes: changes))
                }
            }
            let good = try Data(contentsOf: URL(fileURLWithPath: site.target))
            var told = 0
            for _ in 0..<60 {
                var data = good
                for _ in 0..<20 { data[Int.random(in: 4096..<data.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
                try data.write(to: URL(fileURLWithPath: site.target))
                do throws(StorageError) {
                    let reader = try SQLiteReader(path: site.target)
                    for second in stride(from: 5, through: 200, by: 15) {
                        let found = try reader.entities(at: at(Double(second)))
                        #expect(found.allSatisfy { written.contains($0.state) })
                    }
                } catch {
                    told += 1
                    #expect([.corrupt, .failed, .foreign].contains(error.reason), "\(error)")
                }
            }
            #expect(told > 50)
        }
    }

    @Test func anotherWriterMakesItBusyAndPasses() async throws {
        try await withStore(.sqlite) { site in
            let store = try site.open()
            try store.append(StoredEpoch(1, 1, "a=1"))
            let other = try RawSQLite(site.target)
            try other.run("BEGIN IMMEDIATE")
            do throws(StorageError) {
                try store.append(StoredEpoch(2, 2, "a=2"))
                Issue.record("it was not busy")
            } catch {
                #expect(error.reason == .busy && error.mayPass)
            }
            #expect(try store.picture(9) == "a=1")
            try other.run("COMMIT")
            try store.append(StoredEpoch(3, 3, "a=3", resumes: true))
            #expect(try store.story("a") == "1@1..3 3@3..")
        }
    }

    /// A reader on its own connection sees whole epochs while the writer goes on.
    @Test func readersSeeWholeEpochs() async throws {
        try await withStore(.sqlite) { site in
            let store = try site.open()
            try store.append(StoredEpoch(1, 1, "a=0", "b=0"))
            let reader = try site.reader()
            for number in 2...300 {
                try store.append(StoredEpoch(UInt64(number), Double(number), "a=\(number)", "b=\(number)"))
                let last = try reader.lastEpoch()?.number ?? 0
                let found = try reader.entities(at: forever)
                #expect(
                    last == UInt64(number) && found.count == 2 && found[0].state == found[1].state && found[0].state == bytes("\(number)"))
            }
        }
    }
}
