import Logging
import NetworkTypes
import Storage
import Synchronization
import Testing
import Topology

@testable import Agent

/// What the agent does with a store that fails: measure on, say so, come back.
@Suite struct HistoryWriterTests {
    /// Takes epochs, or fails as it is told to.
    // @unchecked: one thread at a time has it, as any store.
    private final class FakeStore: HistoryStore, @unchecked Sendable {
        struct Wish { var failure: StorageError? }
        let wish: Mutex<Wish>
        var epochs: [StoredEpoch] = []
        let last: UInt64

        init(last: UInt64 = 0, failing failure: StorageError? = nil) {
            self.last = last
            wish = Mutex(Wish(failure: failure))
        }

        func append(_ epoch: StoredEpoch) throws(StorageError) {
            if let failure = wish.withLock({ $0.failure }) { throw failure }
            epochs.append(epoch)
        }
        func maintain(now: Timestamp) throws(StorageError) {}
        func lastEpoch() throws(StorageError) -> EpochMark? { last == 0 ? nil : EpochMark(number: last, time: Timestamp(nanoseconds: 1)) }
        func firstMoment() throws(StorageError) -> Timestamp? { epochs.first?.time }
        func entities(at time: Timestamp) throws(StorageError) -> [StoredEntity] { [] }
        func changes(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityDifference] { [] }
        func log(from start: Timestamp, to end: Timestamp, limit: Int) throws(StorageError) -> [EntityLogEntry] { [] }
        func history(of key: String, from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityVersion] { [] }
        func gaps(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [HistoryGap] { [] }
        func series() throws(StorageError) -> [SeriesName] { [] }
        func points(of key: String, from start: Timestamp, to end: Timestamp, resolution: SeriesResolution) throws(StorageError)
            -> [SeriesPoint]
        { [] }
    }

    private let log = Log(format: .text, level: .error)

    /// Snapshots of a host with one more namespace each.
    private func snapshots(_ count: Int, after epoch: UInt64 = 0) -> [Snapshot] {
        var builder = TopologyBuilder(after: epoch)
        builder.observe(.host(name: "h", HostState(kernel: "6.1")))
        return (1...count).map { number in
            builder.observe(.namespace(NamespaceFact(cookie: UInt64(number), name: "ns\(number)", owner: "")))
            return builder.commit(at: Timestamp(nanoseconds: Int64(number) * 1_000_000_000))
        }
    }

    @Test func theFirstEpochTellsEverythingAndTheOthersWhatChanged() throws {
        let store = FakeStore(last: 41)
        let writer = try HistoryWriter(log) { () throws(StorageError) in store }
        #expect(writer.lastEpoch == 41)
        for snapshot in snapshots(3, after: writer.lastEpoch) { #expect(writer.append(PendingEpoch(snapshot: snapshot, second: nil))) }
        #expect(store.epochs.map(\.number) == [42, 43, 44])
        #expect(store.epochs.map(\.resumes) == [true, false, false])
        #expect(store.epochs[0].changes.map(\.key) == ["host/h", "host/h/ns/ns1"])
        #expect(store.epochs[1].changes.map(\.key) == ["host/h/ns/ns2"])
        #expect(writer.health.epochs == 3 && writer.health.problem == nil)
    }

    @Test func aFullDiskPausesAndTheNextEpochResumes() throws {
        let store = FakeStore()
        let writer = try HistoryWriter(log) { () throws(StorageError) in store }
        let all = snapshots(4)
        #expect(writer.append(PendingEpoch(snapshot: all[0], second: nil)))
        store.wish.withLock { $0.failure = StorageError("append", .full, "no space left") }
        #expect(!writer.append(PendingEpoch(snapshot: all[1], second: nil)))
        #expect(writer.health.problem == "append: no space left" && writer.health.pausedAt != nil && writer.health.hint != nil)
        store.wish.withLock { $0.failure = nil }
        // Not tried again for a while, whatever comes.
        #expect(!writer.append(PendingEpoch(snapshot: all[2], second: nil)))
        writer.endPause()
        #expect(writer.append(PendingEpoch(snapshot: all[3], second: nil)))
        #expect(store.epochs.map(\.resumes) == [true, true] && store.epochs[1].changes.count == 5)
        #expect(writer.health.problem == nil && writer.health.pausedAt == nil)
    }

    @Test func aStoreOfALaterReleaseIsLeftAlone() throws {
        let tries = Mutex(0)
        let writer = try HistoryWriter(log) { () throws(StorageError) -> any HistoryStore in
            tries.withLock { $0 += 1 }
            throw StorageError("open /x", .newerSchema(found: 9, known: 1), "written by a later release")
        }
        writer.endPause()
        for snapshot in snapshots(3) { #expect(!writer.append(PendingEpoch(snapshot: snapshot, second: nil))) }
        #expect(tries.withLock { $0 } == 1)
        #expect(writer.health.problem == "open /x: written by a later release")
    }

    /// Where the store was busy at the start its last epoch is known too late to count on from it.
    @Test func aStoreThatOpensLateGoesOnFromItsOwnEpoch() throws {
        let store = FakeStore(last: 500)
        let isBusy = Mutex(true)
        let writer = try HistoryWriter(log) { () throws(StorageError) in
            if isBusy.withLock({ $0 }) { throw StorageError("open /x", .busy, "locked") }
            return store
        }
        let all = snapshots(3)
        #expect(writer.lastEpoch == 0 && !writer.append(PendingEpoch(snapshot: all[0], second: nil)))
        isBusy.withLock { $0 = false }
        writer.endPause()
        for snapshot in all[1...] { #expect(writer.append(PendingEpoch(snapshot: snapshot, second: nil))) }
        #expect(store.epochs.map(\.number) == [501, 502])
    }
}
