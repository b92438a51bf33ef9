import NetworkTypes
import Reports
import Storage
import Topology

/// Who talked in a span that ends now, out of what is known now and what the store kept.
struct PastTalks {
    private let reader: HistoryReader
    private let since: Timestamp
    private let latest: TopologyThread.Latest
    /// What was there at any time of the span.
    private let snapshot: Snapshot
    /// What came in the span: a talk comes with its first answered packet.
    private let came: Set<LinkKey>

    /// Changes that are looked at, the latest of the span.
    private static let longestLog = 100_000

    init(_ reader: HistoryReader, since: Timestamp, _ latest: TopologyThread.Latest) throws {
        (self.reader, self.since, self.latest) = (reader, since, latest)
        let (start, log) = try reader.ask { (reading) throws(StorageError) in
            (try reading.entities(at: since), try reading.log(from: since, to: .now, limit: Self.longestLog))
        }
        came = Set(
            log.compactMap { entry in
                guard entry.kind == .added, case .link(let link)? = EntityKey(entry.key), link.kind == .talks else { return nil }
                return link
            })
        // The latest state counts.
        let changed = log.reversed().compactMap { entry in (entry.after ?? entry.before).map { (key: entry.key, state: $0) } }
        snapshot = latest.snapshot.joined(with: changed + start.map { (key: $0.key, state: $0.state) })
    }

    /// - Parameter keeps: how long points of a resolution are kept.
    func answer(_ name: String, top: Int, keeps: (SeriesResolution) -> Duration) throws -> TopologyAnswerReport {
        // A name that tells something apart now still does, whatever had a like one.
        var node: NodeID?
        if case .found(let present) = latest.snapshot.find(name) { node = snapshot.id(of: latest.snapshot.key(of: present)) }
        let wanted = try node ?? snapshot.node(named: name)
        let found = snapshot.talks(of: wanted).map { snapshot.key(of: $0.link) }
        let rates = RateReader(reader)
        let now = Timestamp.now
        let steps = RateReader.Span(from: since, to: now, step: max(1, Int((now - since).components.seconds) / 300), keeps: keeps)
        let span = RateReader.Span(from: since, to: now, steps.resolution)
        let seconds = try rates.measuredSeconds(span)
        let kept = Set(try reader.ask { (reading) throws(StorageError) in try reading.series() }.compactMap { SeriesKey($0.key)?.subject })
        let teller = TopologyTeller(latest)
        var loads: [LinkKey: LoadReport] = [:]
        var talked: Set<LinkKey> = []
        var room = RateReader.most
        for (link, parts) in Self.merged(found, latest.snapshot) {
            var sum: RateReader.Sum?
            for part in parts where room > 0 && kept.contains(part.description) {
                room -= 1
                var both = sum ?? RateReader.Sum()
                both += try rates.sum(of: part, span)
                sum = both
            }
            let traffic = latest.snapshot.id(of: link).flatMap { latest.snapshot.traffic(of: $0) }
            // Where it began within the span its own counts are of all of it; the store may lack the seconds in which others were busier.
            if let traffic, traffic.first >= since { sum = Self.larger(sum, traffic) }
            let isKnown = sum?.first != nil || parts.contains(where: came.contains) || traffic.map { $0.last >= since } == true
            // Of a talk that was there, and of which nothing was ever kept, nobody can tell.
            guard isKnown || (traffic == nil && sum == nil) else { continue }
            talked.insert(link)
            loads[link] = load(teller, link, sum, traffic, seconds)
        }
        let past = TopologyTeller(snapshot, loads: loads)
        return TopologyAnswerReport(talks: past, wanted, top: top, since: since, talked: talked)
    }

    /// A talk has another key before its application is known: that part of it counts with the rest.
    private static func merged(_ links: [LinkKey], _ present: Snapshot) -> [LinkKey: [LinkKey]] {
        func unnamed(_ link: LinkKey) -> LinkKey? {
            guard case .flow(let transport, let port, .some) = link.qualifier else { return nil }
            return LinkKey(link.kind, link.a, link.b, .flow(transport, port: port, application: nil))
        }
        var named: [LinkKey: [LinkKey]] = [:]
        for link in links { if let first = unnamed(link) { named[first, default: []].append(link) } }
        var merged: [LinkKey: [LinkKey]] = [:]
        for link in links {
            let later = named[link] ?? []
            merged[later.count == 1 && present.id(of: link) == nil ? later[0] : link, default: []].append(link)
        }
        return merged
    }

    private static func larger(_ sum: RateReader.Sum?, _ traffic: TrafficSummary) -> RateReader.Sum {
        let stored = sum?.load ?? Load()
        let load = Load(
            forwardBytes: max(stored.forwardBytes, traffic.forward.totalBytes),
            backwardBytes: max(stored.backwardBytes, traffic.backward.totalBytes),
            forwardPackets: max(stored.forwardPackets, traffic.forward.totalPackets),
            backwardPackets: max(stored.backwardPackets, traffic.backward.totalPackets))
        return RateReader.Sum(load: load, first: min(sum?.first ?? traffic.first, traffic.first), last: traffic.last)
    }

    /// Rates are means of the seconds that were measured.
    private func load(
        _ teller: TopologyTeller, _ link: LinkKey, _ sum: RateReader.Sum?, _ traffic: TrafficSummary?, _ seconds: UInt64
    ) -> LoadReport {
        let present = latest.snapshot.id(of: link).flatMap { teller.load(of: $0) }
        var load = LoadReport(roundTripMicroseconds: present?.roundTripMicroseconds, retransmissionRatio: present?.retransmissionRatio)
        guard let sum, let first = sum.first, let last = sum.last else { return load }
        if seconds > 0 {
            load.bitsPerSecond = Double(sum.load.forwardBytes) * 8 / Double(seconds)
            load.reverseBitsPerSecond = Double(sum.load.backwardBytes) * 8 / Double(seconds)
            load.packetsPerSecond = Double(sum.load.forwardPackets) / Double(seconds)
            load.reversePacketsPerSecond = Double(sum.load.backwardPackets) / Double(seconds)
        }
        load.totals = LoadReport.Sums(
            packets: sum.load.forwardPackets, bytes: sum.load.forwardBytes, reversePackets: sum.load.backwardPackets,
            reverseBytes: sum.load.backwardBytes, flows: traffic?.flows ?? 0, first: "\(max(first, since))",
            last: "\(traffic?.last ?? min(last, .now))")
        return load
    }
}
