import Foundation
import NetworkTypes
import Storage
import Testing
import Topology

/// What every store has to do: each test runs against SQLite and against PostgreSQL.
@Suite struct ConformanceTests {
    @Test(arguments: StoreKind.allCases) func anEmptyStoreHasNothing(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            #expect(try store.lastEpoch() == nil && store.entities(at: forever).isEmpty && store.series().isEmpty)
            #expect(try store.changes(from: at(0), to: forever).isEmpty && store.history(of: "a").isEmpty)
            #expect(try store.points(of: "a", from: at(0), to: forever, resolution: .second).isEmpty)
            try store.maintain(now: at(1e9))
        }
    }

    @Test(arguments: StoreKind.allCases) func versionsBeginAndEnd(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            try store.append(StoredEpoch(1, 10, "a=1", "b=1"))
            try store.append(StoredEpoch(2, 20, "a=2"))
            try store.append(StoredEpoch(5, 30, "b"))
            try store.append(StoredEpoch(6, 40, "b=1", "c=3"))
            for store in [store as any HistoryReading, try site.reader()] {
                #expect(try store.picture(9.9) == "" && store.picture(10) == "a=1 b=1" && store.picture(19.9) == "a=1 b=1")
                #expect(try store.picture(20) == "a=2 b=1" && store.picture(35) == "a=2" && store.picture(1e9) == "a=2 b=1 c=3")
                #expect(try store.differences(15, 35) == "a:1>2 b:1>-" && store.differences(15, 45) == "a:1>2 c:->3")
                #expect(try store.differences(0, 10) == "a:->1 b:->1" && store.differences(41, 99) == "")
                // Backwards too.
                #expect(try store.differences(35, 15) == "a:2>1 b:->1")
                #expect(try store.story("a") == "1@10..20 2@20.." && store.story("b") == "1@10..30 1@40.." && store.story("x") == "")
                #expect(try store.history(of: "b", from: at(30), to: at(40)).isEmpty)
                #expect(try store.history(of: "b", from: at(29), to: at(41)).count == 2)
                #expect(try store.lastEpoch() == EpochMark(number: 6, time: at(40)))
            }
        }
    }

    @Test(arguments: StoreKind.allCases) func theLogTellsWhatChangedStepByStep(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            try store.append(StoredEpoch(1, 10, "b=1", "a=1"))
            try store.append(StoredEpoch(2, 20, "a=2", "ä=1", "z=1"))
            try store.append(StoredEpoch(3, 30, "a"))
            // At one time: what lasted no time, and what is as it was, is no step.
            try store.append(StoredEpoch(4, 40, "b=7", "c=1", "a=3"))
            try store.append(StoredEpoch(5, 40, "b=1", "c", "a=4"))
            try store.append(StoredEpoch(6, 50, "b", "c=2", resumes: true))
            let last = "50 a:4>-, 50 b:1>-, 50 c:->2, 50 z:1>-, 50 ä:1>-"
            let whole = "10 a:->1, 10 b:->1, 20 a:1>2, 20 z:->1, 20 ä:->1, 30 a:2>-, 40 a:->4, \(last)"
            for store in [store as any HistoryReading, try site.reader()] {
                #expect(try store.log(0, 99) == whole && store.log(9, 50) == whole)
                #expect(try store.log(from: Timestamp(nanoseconds: .min), to: forever, limit: .max).count == 12)
                // After the one, the other included.
                #expect(try store.log(20, 40) == "30 a:2>-, 40 a:->4" && store.log(40, 49.9) == "" && store.log(50, 99) == "")
                #expect(try store.log(40, 20) == "" && store.log(20, 20) == "" && store.log(0, 99, limit: 0) == "")
                #expect(try store.log(0, 99, limit: 2) == "50 z:1>-, 50 ä:1>-" && store.log(0, 40, limit: 2) == "30 a:2>-, 40 a:->4")
                #expect(try store.log(0, 99, limit: 6) == "40 a:->4, \(last)")
                #expect(try store.log(from: at(10), to: at(40), limit: 9).map(\.kind) == [.changed, .added, .added, .removed, .added])
            }
        }
    }

    /// Many checkpoints, and moments with more steps than are asked for.
    @Test(arguments: StoreKind.allCases) func theLogsNewestAreTheEndOfAll(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            for number in 1...40 {
                let changes = (0..<700).map { index in
                    EntityChange(key: "entity/\(index)", state: index % 20 == number % 20 ? nil : bytes("\(number * index % 9)"))
                }
                try store.append(StoredEpoch(number: UInt64(number), time: at(Double(number / 2)), changes: changes))
            }
            let whole = try store.log(from: at(-1), to: forever, limit: .max)
            #expect(whole.count > 8000)
            for limit in [1, 10, 699, 700, 2500, 8000, whole.count, whole.count + 1] {
                #expect(try store.log(from: at(-1), to: forever, limit: limit) == Array(whole.suffix(limit)), "\(limit)")
                let middle = whole.filter { $0.time > at(3) && $0.time <= at(11.5) }
                #expect(try store.log(from: at(3), to: at(11.5), limit: limit) == Array(middle.suffix(limit)), "\(limit)")
            }
        }
    }

    /// Two that write in turns: neither builds on what it knew before the other.
    @Test(arguments: StoreKind.allCases) func writersInTurns(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let (one, other) = (try site.open(), try site.open())
            let sample = { (key: String) in [SeriesSample(key: key, value: .counter(1))] }
            try one.append(StoredEpoch(1, 10, "a=1", "b=1", samples: sample("s")))
            try other.append(StoredEpoch(2, 20, "a=2", "c=1", samples: sample("t")))
            try one.append(StoredEpoch(3, 30, "a=1", "d=1", samples: sample("t")))
            try other.append(StoredEpoch(4, 40, "b", "c", samples: sample("s")))
            #expect(try one.story("a") == "1@10..20 2@20..30 1@30.." && one.picture(40) == "a=1 d=1" && one.story("c") == "1@20..40")
            for key in ["s", "t"] { #expect(try one.points(of: key, from: at(0), to: forever, resolution: .hour).map(\.count) == [2]) }
            #expect(try Set(one.series().map(\.key)) == ["s", "t"] && one.series().count == 2)
        }
    }

    @Test(arguments: StoreKind.allCases) func whatChangesNothingLeavesNoVersion(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            try store.append(StoredEpoch(1, 10, "a=1", "x"))
            try store.append(StoredEpoch(2, 20, "a=1"))
            try store.append(StoredEpoch(3, 30, "a=2", "a=1", "b=1", "b"))
            try store.append(StoredEpoch(4, 40, "a", "a=1"))
            #expect(try store.story("a") == "1@10.." && store.story("b") == "" && store.picture(50) == "a=1")
            // Two epochs at one time: the last one counts, and what was meanwhile lasted no time.
            try store.append(StoredEpoch(5, 50, "a=7", "c=1"))
            try store.append(StoredEpoch(6, 50, "a=1", "c"))
            try store.append(StoredEpoch(7, 60, "a=8"))
            #expect(try store.story("a") == "1@10..60 8@60.." && store.story("c") == "" && store.picture(50) == "a=1")
        }
    }

    @Test(arguments: StoreKind.allCases) func afterAPauseTheListIsAllThereIs(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            var store: (any HistoryStore)? = try site.open()
            try store?.append(StoredEpoch(1, 10, "a=1", "b=1", "c=1", resumes: true))
            try store?.append(StoredEpoch(2, 20, "d=1"))
            store = nil
            let again = try site.open()
            try again.append(StoredEpoch(3, 90, "a=1", "b=2", resumes: true))
            #expect(try again.picture(80) == "a=1 b=1 c=1 d=1" && again.picture(90) == "a=1 b=2")
            #expect(try again.story("a") == "1@10.." && again.story("c") == "1@10..90")
            #expect(try again.gaps(from: at(0), to: forever) == [HistoryGap(start: at(20), end: at(90))])
            #expect(try again.firstMoment() == at(10) && site.reader().firstMoment() == at(10))
            #expect(try again.gaps(from: at(0), to: at(20)).isEmpty && again.gaps(from: at(90), to: forever).isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases) func aClockThatWasSetBackRewritesNothing(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            try store.append(StoredEpoch(1, 100, "a=1"))
            try store.append(StoredEpoch(2, 50, "a=2", samples: [SeriesSample(key: "s", value: .counter(3))]))
            #expect(try store.picture(99) == "" && store.picture(100) == "a=2" && store.lastEpoch()?.time == at(100))
            #expect(try store.points(of: "s", from: at(0), to: forever, resolution: .second).map(\.start) == [at(100)])
        }
    }

    @Test(arguments: StoreKind.allCases) func whatBreaksTheRulesIsRefusedWhole(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            let sample = { (value: SeriesValue) in [SeriesSample(key: "s", value: value)] }
            try store.append(StoredEpoch(3, 10, "a=1", samples: sample(.counter(1))))
            let long = String(repeating: "k", count: 513)
            for epoch in [
                StoredEpoch(3, 20, "a=2"), StoredEpoch(2, 20, "a=2"), StoredEpoch(0, 20, "a=2"), StoredEpoch(1 << 40, 20, "a=2"),
                StoredEpoch(4, -1, "a=2"), StoredEpoch(4, 20, "a=2", "zero\0byte=1"), StoredEpoch(4, 20, "a=2", "\(long)=1"),
                StoredEpoch(number: 4, time: at(20), changes: [.init(key: "a", state: bytes("2")), .init(key: "", state: [])]),
                StoredEpoch(number: 4, time: at(20), changes: [.init(key: "a", state: [UInt8](repeating: 0, count: (1 << 20) + 1))]),
                StoredEpoch(4, 20, "a=2", samples: sample(.gauge(1))), StoredEpoch(4, 20, "a=2", samples: sample(.counter(1 << 63))),
                StoredEpoch(4, 20, "a=2", samples: [SeriesSample(key: "g", value: .gauge(.nan))]),
                StoredEpoch(4, 20, "a=2", samples: [SeriesSample(key: long, value: .counter(1))]),
            ] { #expect(try reason { try store.append(epoch) } == .invalid, "\(epoch.number)") }
            #expect(try store.lastEpoch()?.number == 3 && store.picture(99) == "a=1" && store.series().count == 1)
            // An empty state is one, and the store goes on.
            try store.append(StoredEpoch(number: 4, time: at(20), changes: [.init(key: "a", state: [])]))
            #expect(try store.entities(at: at(20)) == [StoredEntity(key: "a", state: [])])
        }
    }

    @Test(arguments: StoreKind.allCases) func keysAndStatesAreKeptToTheByte(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let keys = ["ü/日本 'quoted\" \\ %s", "k" + String(repeating: "é", count: 255), "a\tb\nc", "e\u{301}", "\u{e9}"]
            let states = [(0...255).map { UInt8($0) }, [0], [0, 0, 0], [UInt8](repeating: 7, count: 1 << 20), [255]]
            try site.open().append(
                StoredEpoch(number: 1, time: at(1), changes: zip(keys, states).map { .init(key: $0, state: $1) }))
            let found = try site.open().entities(at: at(2)).sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
            let wanted = zip(keys, states).sorted { Array($0.0.utf8).lexicographicallyPrecedes(Array($1.0.utf8)) }
            #expect(found.map { Array($0.key.utf8) } == wanted.map { Array($0.0.utf8) } && found.map(\.state) == wanted.map(\.1))
        }
    }

    /// A day of one counter and one gauge: every resolution adds up to what was appended, at once and after each rolling up.
    @Test(arguments: StoreKind.allCases) func rollUpsAreExactAtTheirBoundaries(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            var store = try site.open(.ageless)
            let begin = 86_400.0 * 20_000
            // Around the boundaries of every resolution, and of the windows in which they are made.
            var times = (0..<25).map { Double($0) }
            times += [
                59, 60, 61, 119, 120, 121, 130, 599, 600, 3599, 3600, 3601, 7199, 7200, 7321, 86_399, 86_400, 86_401, 90_000, 180_000,
            ]
            for (index, time) in times.enumerated() {
                try store.append(
                    StoredEpoch(
                        UInt64(index + 1), begin + time + 0.25,
                        samples: [
                            SeriesSample(key: "c", value: .counter(UInt64(index * index))),
                            SeriesSample(key: "g", value: .gauge(Double(index) / 4 - 3)),
                        ]))
                if index % 7 == 0 { store = try site.open(.ageless) }
                if index % 11 == 0 { try store.maintain(now: at(begin + time + 1)) }
                for resolution in SeriesResolution.allCases {
                    let width = Double(resolution.seconds)
                    var wanted: [(start: Double, count: UInt64, sum: UInt64, low: Double, high: Double)] = []
                    for (number, time) in times[...index].enumerated() {
                        let start = begin + (time / width).rounded(.down) * width
                        let gauge = Double(number) / 4 - 3
                        if let last = wanted.last, last.start == start {
                            wanted[wanted.count - 1] = (
                                start, last.count + 1, last.sum + UInt64(number * number), min(last.low, gauge), max(last.high, gauge)
                            )
                        } else {
                            wanted.append((start, 1, UInt64(number * number), gauge, gauge))
                        }
                    }
                    let counters = try store.points(of: "c", from: at(0), to: forever, resolution: resolution)
                    #expect(counters.map(\.start) == wanted.map { at($0.start) }, "\(resolution) after \(time)")
                    #expect(counters.map(\.sum) == wanted.map { .counter($0.sum) } && counters.map(\.count) == wanted.map(\.count))
                    let gauges = try store.points(of: "g", from: at(0), to: forever, resolution: resolution)
                    #expect(
                        gauges.map(\.minimum) == wanted.map { .gauge($0.low) } && gauges.map(\.maximum) == wanted.map { .gauge($0.high) })
                }
            }
            // From within a point to within another: the first whole, the last one too.
            let part = try store.points(of: "c", from: at(begin + 65), to: at(begin + 120.5), resolution: .minute)
            #expect(part.map(\.start) == [at(begin + 60), at(begin + 120)] && part[0].count == 3 && part[1].count == 3)
            #expect(try Set(store.series()) == [SeriesName(key: "c", kind: .counter), SeriesName(key: "g", kind: .gauge)])
        }
    }

    /// A sum that no integer of a database holds stops at the largest one.
    @Test(arguments: StoreKind.allCases) func sumsStopAtTheLargestInteger(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let store = try site.open()
            for second in 0..<400 {
                let sample = SeriesSample(key: "s", value: .counter(1 << 62))
                try store.append(
                    StoredEpoch(UInt64(second + 1), Double(7200 + second), samples: second % 2 == 0 ? [sample, sample] : [sample]))
            }
            for resolution in SeriesResolution.allCases {
                let points = try store.points(of: "s", from: at(0), to: forever, resolution: resolution)
                #expect(points[0].sum == .counter(UInt64(Int64.max)) && points[0].maximum == .counter(1 << 62))
                #expect(points.reduce(0) { $0 + $1.count } == 600)
            }
        }
    }

    /// A simulated month: each resolution keeps its age, the topology its own, and what still holds is kept.
    @Test(arguments: StoreKind.allCases) func whatIsTooOldGoes(_ kind: StoreKind) async throws {
        try await withStore(kind) { site in
            let (hour, day) = (3600.0, 86_400.0)
            let limits = StorageLimits(
                ages: [.second: .seconds(2 * hour), .tenSeconds: .seconds(day), .minute: .seconds(7 * day), .hour: .seconds(20 * day)],
                topologyAge: .seconds(8 * day))
            let store = try site.open(limits)
            let begin = day * 20_000
            let steps = Int(30 * day / 600)
            for step in 0..<steps {
                try store.append(
                    StoredEpoch(
                        UInt64(step + 1), begin + Double(step) * 600, "moving=\(step)", step == 0 ? "staying=1" : "moving=\(step)",
                        samples: [SeriesSample(key: "s", value: .counter(1))]))
            }
            let now = begin + Double(steps - 1) * 600
            try store.maintain(now: at(now))
            for (resolution, age) in limits.ages {
                let points = try store.points(of: "s", from: at(0), to: forever, resolution: resolution)
                let span = now - Double(points[0].start.nanoseconds) / 1e9
                // Blocks go as a whole: those of days, hours and two minutes may reach back by as much.
                let block: Double = [.second: 120, .tenSeconds: hour, .minute: day, .hour: day][resolution] ?? 0
                #expect(
                    span >= age.seconds - Double(resolution.seconds) - 600 && span <= age.seconds + block + hour, "\(resolution): \(span)")
            }
            #expect(try store.picture(now) == "moving=\(steps - 1) staying=1")
            #expect(try store.picture(now - day) == "moving=\(steps - 1 - 144) staying=1", "yesterday")
            #expect(try store.picture(now - 7 * day) == "moving=\(steps - 1 - 7 * 144) staying=1")
            #expect(try store.picture(now - 10 * day) == "")
            let versions = try store.history(of: "moving").count
            #expect(versions >= 8 * 144 && versions <= 9 * 144 + 2, "\(versions)")
            #expect(try store.history(of: "staying").count == 1)
        }
    }
}
