import Foundation
import Logging
import NetworkTypes
import Reports
import Storage
import TestSupport
import Testing
import Topology
import TopologySupport

@testable import Agent

/// Days of a simulated clock, with what an agent does to the past meanwhile: it is written, rolled up, forgotten where it is old, and the
/// agent is started anew. What is asked of yesterday is what was then.
@Suite struct YesterdayTests {
    private static let day: Int64 = 86_400
    private static let midnight: Int64 = 1_699_920_000
    /// Between two epochs with traffic, s.
    private static let step: Int64 = 600
    private static let limits = StorageLimits(
        ages: [
            .second: .seconds(6 * 3600), .tenSeconds: .seconds(12 * 3600), .minute: .seconds(2 * 86_400), .hour: .seconds(400 * 86_400),
        ],
        topologyAge: .seconds(2 * 86_400))

    /// What was so at a time, as it was known then.
    private struct Page {
        var snapshot: Snapshot
        var report: TopologyReport
        /// Of all communication in the second before, bytes both ways.
        var bytes: UInt64
    }

    /// A network in which guests come and go.
    private struct Life {
        var network: SmallNetwork
        var random = SplitMix64(seed: 20_231_114)
        var guests: [UInt64: Int] = [:]
        private var isUp = true

        init() { network = SmallNetwork(at: YesterdayTests.midnight) }

        private func mac(_ number: UInt64) -> MACAddress { MACAddress(rawValue: 0x0200_0000_0000 | number) }

        mutating func happen() {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                isUp.toggle()
                network.red(isUp: isUp)
            case 1:
                if let guest = guests.keys.min() { leave(guest) } else { come(10) }
            default: come(UInt64.random(in: 10..<30, using: &random))
            }
        }

        /// With another address each time.
        private mutating func come(_ guest: UInt64) {
            if guests[guest] != nil { leave(guest) }
            let (port, number) = (Int32(guest), Int.random(in: 20..<250, using: &random))
            guests[guest] = number
            network.observe(.namespace(NamespaceFact(cookie: guest, name: "guest\(guest)", owner: "netns guest\(guest)")))
            let inside = LinkFact(index: 2, name: "eth0", kind: "veth", mac: mac(guest), peer: port, peerNamespace: 1)
            let outside = LinkFact(
                index: port, name: "v-\(guest)", kind: "veth", mac: mac(guest + 100), master: 3, peer: 2, peerNamespace: guest)
            let address = InterfaceAddress(interface: 2, address: IPAddress("10.0.0.\(number)")!, prefixLength: 24)
            network.observe(.appeared(.link(inside), in: guest))
            network.observe(.appeared(.address(address), in: guest))
            network.observe(.appeared(.link(outside), in: 1))
        }

        private mutating func leave(_ guest: UInt64) {
            guests[guest] = nil
            network.observe(.namespaceGone(cookie: guest))
            network.observe(.vanished(.link(Int32(guest)), in: 1))
        }
    }

    @Test func yesterdaysMapIsWhatItWas() async throws {
        try await onOwnThread {
            let folder = NSTemporaryDirectory() + "nilo-yesterday-\(UUID())"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let path = folder + "/history.db"
            let (pages, now) = try Self.live(4, path)
            #expect(pages.count > 550 && Set(pages.values.map { $0.snapshot.entities.count }).count > 10)
            let reader = HistoryReader { () throws(StorageError) in try SQLiteReader(path: path) }
            try Self.everythingOfTwoDaysComesBack(pages, reader, now)
            try Self.olderThingsAreForgotten(pages, reader, now)
            try Self.ratesOfYesterdayComeBack(pages, reader, now)
        }
    }

    /// So many days: every ten minutes somebody talks, now and then something happens, and each evening the agent is started anew.
    private static func live(_ days: Int64, _ path: String) throws -> (pages: [Timestamp: Page], now: Timestamp) {
        let log = Log(format: .text, level: .error)
        func start() throws -> HistoryWriter {
            try HistoryWriter(log) { () throws(StorageError) in try SQLiteStore(path: path, limits: limits) }
        }
        var (life, pages, writer) = (Life(), [Timestamp: Page](), try start())
        var now = Timestamp(nanoseconds: 0)
        for number in 0..<days * day / step {
            life.network.wait(step - 1)
            let bytes = UInt64.random(in: 1...1000, using: &life.random) * 1000
            if Int.random(in: 0..<5, using: &life.random) == 0 { life.happen() }
            life.network.talk(bytes: bytes)
            let snapshot = life.network.commit()
            let loads = TrafficLoads(snapshot, interfaces: [:], length: .seconds(1))
            #expect(loads.services.values.reduce(0) { $0 + $1.bytes } == loads.total.bytes)
            if number % (day / step) == 125 { writer = try start() }
            #expect(
                writer.append(PendingEpoch(snapshot: snapshot, second: MeasuredSecond(loads: loads, host: HostReading()))),
                "\(writer.health)")
            pages[snapshot.time] = Page(
                snapshot: snapshot, report: report(snapshot), bytes: loads.total.bytes)
            now = snapshot.time
        }
        return (pages, now)
    }

    private static func report(_ snapshot: Snapshot) -> TopologyReport {
        let teller = TopologyTeller(snapshot)
        return TopologyReport(
            at: "", epoch: 0, live: false,
            entities: snapshot.entities.compactMap { NodeKey($0.key).flatMap(snapshot.id) }.map(teller.entity),
            links: [])
    }

    private static func everythingOfTwoDaysComesBack(_ pages: [Timestamp: Page], _ reader: HistoryReader, _ now: Timestamp) throws {
        let kept = pages.filter { now - $0.key < limits.topologyAge }
        #expect(kept.count >= 287)
        for (time, page) in kept {
            // Of the moment itself, and of any later until something else was seen.
            for moment in [time, time + .seconds(step - 1)] {
                let past = try reader.snapshot(at: moment)
                #expect(past.difference(from: page.snapshot).isEmpty, "\(moment)")
                #expect(past.entities == page.snapshot.entities, "\(moment)")
            }
        }
        // Yesterday at this time, as it is told.
        let yesterday = now + .seconds(-day)
        let page = try #require(pages[yesterday])
        #expect(report(try reader.snapshot(at: yesterday)).entities == page.report.entities && !page.report.entities.isEmpty)
        let today = try #require(pages[now])
        #expect(page.report.entities != today.report.entities)
        // What became of it since leads from the one to the other.
        let difference = today.snapshot.difference(from: try reader.snapshot(at: yesterday))
        let since = try reader.ask { (reading) throws(StorageError) in try reading.changes(from: yesterday, to: now) }
        #expect(Set(difference.changes.map(\.key.description)).isSubset(of: since.map(\.key)) && !difference.isEmpty)
        var states = Dictionary(uniqueKeysWithValues: page.snapshot.entities.map { ($0.key, $0.state) })
        for entry in try reader.ask({ (reading) throws(StorageError) in try reading.log(from: yesterday, to: now, limit: 1_000_000) }) {
            #expect(states[entry.key] ?? nil == entry.before, "\(entry.time) \(entry.key)")
            if let after = entry.after { states[entry.key] = after } else { states[entry.key] = nil }
        }
        #expect(states == Dictionary(uniqueKeysWithValues: today.snapshot.entities.map { ($0.key, $0.state) }))
    }

    /// Of a time before that which is kept nothing is told, rather than the half of it that is still there.
    private static func olderThingsAreForgotten(_ pages: [Timestamp: Page], _ reader: HistoryReader, _ now: Timestamp) throws {
        let before = try #require(pages[now + .seconds(-3 * day)])
        #expect(!before.snapshot.entities.isEmpty)
        let past = try reader.snapshot(at: before.snapshot.time).entities
        #expect(past.isEmpty, "\(past.count)")
    }

    /// Seconds are long rolled up into minutes; their sums are what flowed.
    private static func ratesOfYesterdayComeBack(_ pages: [Timestamp: Page], _ reader: HistoryReader, _ now: Timestamp) throws {
        let start = now + .seconds(-day - 3600)
        func keeps(_ resolution: SeriesResolution) -> Duration { limits.ages[resolution]! }
        let rates = RateReader(reader)
        let span = RateReader.Span(from: start, to: start + .seconds(3600), step: 1, keeps: keeps, now: now)
        #expect(span.resolution == .minute)
        let latest = try #require(pages[now]).snapshot
        let list = try rates.list(of: .one(SeriesKey.total), span, .bits, network: nil, latest)
        let series = try #require(list.series.first)
        var measured = 0
        for (index, value) in series.values.enumerated() {
            let (from, to) = (span.from + .seconds(index * 60), span.from + .seconds(index * 60 + 60))
            let bytes = pages.filter { $0.key >= from && $0.key < to }.map(\.value.bytes)
            guard let value else {
                #expect(bytes.isEmpty, "\(from)")
                continue
            }
            measured += 1
            let reverse = try #require(series.reverse?[index])
            #expect(value + reverse == Double(bytes.reduce(0, +)) * 8 / Double(bytes.count), "\(from)")
        }
        #expect(measured == 6 || measured == 7)
        let seconds = try reader.ask { (reading) throws(StorageError) in
            try reading.points(of: SeriesKey(SeriesKey.total, .bits, isBackward: false).text, from: start, to: now, resolution: .second)
        }
        #expect(seconds.allSatisfy { now - $0.start < .seconds(7 * 3600) } && !seconds.isEmpty)
    }
}
