import Foundation
import NetworkTypes
import Storage
import TestSupport
import Testing
import Topology

/// The bounds of space: the file's own, and the disk's.
@Suite struct SQLiteBoundTests {
    /// Far more than fits, that does not compress: file and log stay below the bound at every moment, and the latest is there.
    @Test(arguments: ["series", "topology", "both"]) func theFileStaysBelowItsBound(_ what: String) async throws {
        try await withStore(.sqlite) { site in
            let limits = StorageLimits(size: 6 << 20)
            let store = try site.open(limits)
            var random = SplitMix64(seed: 11)
            var largest = 0
            for number in 1...1500 {
                let changes =
                    what == "series" ? [] : (0..<60).map { EntityChange(key: "entity/\($0)", state: random.bytes(150)) }
                let samples =
                    what == "topology"
                    ? [] : (0..<500).map { SeriesSample(key: "series/\($0)", value: .counter(random.next() >> 20)) }
                try store.append(StoredEpoch(number: UInt64(number), time: at(Double(number)), changes: changes, samples: samples))
                let sizes = ["", "-wal"].map { (try? FileManager.default.attributesOfItem(atPath: site.target + $0)[.size] as? Int) ?? 0 }
                largest = max(largest, sizes.reduce(0, +))
            }
            #expect(largest <= 6 << 20, "\(largest)")
            // It is filled, not starved.
            #expect(largest >= 4 << 20, "\(largest)")
            if what != "series" {
                #expect(try store.entities(at: forever).count == 60 && store.entities(at: at(1480)).count == 60)
                #expect(try store.entities(at: at(1)).isEmpty)
            }
            if what != "topology" {
                let points = try store.points(of: "series/7", from: at(1400), to: forever, resolution: .second)
                #expect(points.count == 101)
            }
            #expect(try RawSQLite(site.target).text("PRAGMA integrity_check") == "ok")
        }
    }

    /// One epoch that is larger than all the room: refused, and the next one is kept.
    @Test func anEpochThatDoesNotFitIsRefused() async throws {
        try await withStore(.sqlite) { site in
            let store = try site.open(StorageLimits(size: 4 << 20))
            try store.append(StoredEpoch(1, 1, "a=1"))
            var random = SplitMix64(seed: 3)
            let huge = StoredEpoch(
                number: 2, time: at(2), changes: (0..<8).map { EntityChange(key: "\($0)", state: random.bytes(1 << 20)) })
            do throws(StorageError) {
                try store.append(huge)
                Issue.record("it fitted")
            } catch {
                #expect(error.reason == .full && error.mayPass, "\(error)")
            }
            #expect(try store.picture(9) == "a=1" && store.lastEpoch()?.number == 1)
            try store.append(StoredEpoch(3, 3, "a=3", resumes: true))
            #expect(try store.picture(9) == "a=3")
        }
    }

    /// A file system that is really full: refused by name, readable meanwhile, and after room was made it goes on.
    @Test(.requires(.root)) func aFullDiskPausesAndPasses() async throws {
        let probe = try #require(builtProgram("storage-probe"))
        let output = try await onOwnThread {
            let folder = TemporaryFolder()
            defer { folder.remove() }
            // The mount is in a namespace of its own and goes with it.
            return try sh("unshare -m sh -c 'mount -t tmpfs -o size=3m none \(folder.path) && exec \(probe) fill \(folder.path)'")
        }
        let lines = output.split(separator: "\n")
        #expect(lines.count == 4 && lines[0].hasPrefix("refused ") && lines[0].hasSuffix(": full, may pass true"), "\(output)")
        #expect(lines.dropFirst() == ["again: full", "kept true, readable true", "resumed true, gaps 1, versions true"], "\(output)")
    }

    /// What retired is given back to the file system.
    @Test func theFileShrinksAgain() async throws {
        try await withStore(.sqlite) { site in
            let limits = StorageLimits(
                ages: Dictionary(uniqueKeysWithValues: SeriesResolution.allCases.map { ($0, .seconds(600)) }), topologyAge: .seconds(600))
            let store = try site.open(limits)
            var random = SplitMix64(seed: 4)
            for number in 1...900 {
                let changes = (0..<50).map { EntityChange(key: "entity/\($0)/\(number / 50)", state: random.bytes(200)) }
                try store.append(StoredEpoch(number: UInt64(number), time: at(Double(number)), changes: changes, resumes: number % 50 == 0))
            }
            func size() throws -> Int { try FileManager.default.attributesOfItem(atPath: site.target)[.size] as? Int ?? 0 }
            let before = try size()
            for step in 1...40 {
                try store.append(
                    StoredEpoch(number: UInt64(900 + step), time: at(Double(900 + step * 100)), changes: [], resumes: step == 1))
                try store.maintain(now: at(Double(900 + step * 100)))
            }
            _ = try RawSQLite(site.target).text("PRAGMA wal_checkpoint(TRUNCATE)")
            let after = try size()
            #expect(after < before / 4, "\(before) to \(after)")
            #expect(try Int(RawSQLite(site.target).text("SELECT count(*) FROM entity"))! < 200)
        }
    }
}
