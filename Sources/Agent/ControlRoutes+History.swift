import API
import NetworkTypes
import Reports
import Storage
import Topology

/// What may be asked of the past. The store is read where the answer is made (``later(_:)``): neither the agent nor the topology waits for the disk.
extension ControlRoutes {
    /// From the first epoch until all that is there has been looked at.
    private static let firstLook = Duration.seconds(2)

    static func difference(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (from, to) = try query.span()
        let isUntilNow = query.text("to") == nil
        let network = query.text("network")
        let layer = try query.optionalChoice("layer", of: TopologyLayer.self)
        return { agent in
            let reader = try agent.history()
            let latest = isUntilNow ? agent.topology?.latest : nil
            return later {
                let coverage = try reader.coverage(of: from)
                // With what the history begins is no change; its first look takes a moment.
                let start = coverage.begins.map { min(to, $0 + Self.firstLook) } ?? from
                let later = latest == nil ? try reader.coverage(of: to) : nil
                let before = TopologyTeller(try reader.snapshot(at: start))
                let after = try latest.map(TopologyTeller.init) ?? TopologyTeller(try reader.snapshot(at: to))
                let wanted = try network.map { try self.network($0, in: [after.snapshot, before.snapshot]) }
                let changes = ChangeList(
                    after.snapshot.difference(from: before.snapshot), from: before, to: after, network: wanted, layer: layer)
                let isSeen = coverage.isSeen && later?.isSeen != false
                let shifts =
                    isSeen ? try RateReader(reader).shifts(from, to, before: before, after: after, network: wanted, layer: layer) : []
                var gaps = [coverage.gap, later?.gap].compactMap { $0 }
                if gaps.count == 2, gaps[0] == gaps[1] { gaps.removeLast() }
                return try json(
                    TopologyDifferenceReport(
                        from: from, to: to, changes: changes, traffic: shifts, gaps: gaps,
                        historyBegins: later?.begins ?? coverage.begins))
            }
        }
    }

    static func history(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (from, to) = try query.span()
        let key = query.text("key")
        let top = try query.number("top", in: 1...100_000, standard: 1000)
        return { agent in
            let reader = try agent.history()
            return later {
                let all = try key.map { try Self.turns(of: $0, from, to, reader) } ?? Self.turns(from, to, reader)
                // Some links are told as parents and networks of what they join.
                let turns = all.filter { turn in
                    if case .link(let link) = turn.key { link.told != nil } else { true }
                }
                return try json(
                    TopologyHistoryReport(from: from, to: to, turns: turns.suffix(top), matched: turns.count))
            }
        }
    }

    /// Changes that are looked at for one answer.
    private static let longestLog = 100_000

    private static func turns(_ from: Timestamp, _ to: Timestamp, _ reader: HistoryReader) throws -> [TopologyHistoryReport.Turn] {
        try reader.ask { (reading) throws(StorageError) in try reading.log(from: from, to: to, limit: longestLog) }
            .compactMap { entry in
                EntityKey(entry.key).map {
                    TopologyHistoryReport.Turn(
                        time: entry.time, key: $0, before: entry.before.flatMap(EntityState.init(encoded:)),
                        after: entry.after.flatMap(EntityState.init(encoded:)))
                }
            }
    }

    private static func turns(of text: String, _ from: Timestamp, _ to: Timestamp, _ reader: HistoryReader) throws
        -> [TopologyHistoryReport.Turn]
    {
        guard let key = EntityKey(text) else { return [] }
        let versions = try reader.ask { (reading) throws(StorageError) in try reading.history(of: text, from: from, to: to) }
        var turns: [TopologyHistoryReport.Turn] = []
        for (index, version) in versions.enumerated() {
            let earlier = index > 0 && versions[index - 1].validTo == version.validFrom ? versions[index - 1].state : nil
            if version.validFrom > from {
                turns.append(
                    .init(
                        time: version.validFrom, key: key, before: earlier.flatMap(EntityState.init(encoded:)),
                        after: EntityState(encoded: version.state)))
            }
            let isFollowed = index + 1 < versions.count && versions[index + 1].validFrom == version.validTo
            if let end = version.validTo, end <= to, !isFollowed {
                turns.append(.init(time: end, key: key, before: EntityState(encoded: version.state), after: nil))
            }
        }
        return turns
    }

    static func networks(_ agent: Agent) throws -> ControlResponse {
        let latest = try agent.knownTopology()
        return later { try json(NetworkListReport(TopologyTeller(latest))) }
    }

    static func series(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (from, to) = try query.span()
        let step = try query.number("step", in: 1...86_400, standard: max(1, Int((to - from).components.seconds) / 300))
        let top = try query.number("top", in: 1...100, standard: 12)
        let measure = try query.choice("measure", standard: SeriesKey.Measure.bits)
        let network = query.text("network")
        let subject: RateReader.Subject
        switch (query.text("key"), query.text("kind")) {
        case (let key?, nil): subject = .one(key)
        case (nil, .some): subject = .busiest(try query.choice("kind", standard: RateReader.Kind.link), top)
        case (nil, nil): throw ControlQuery.Fault(field: "key", value: nil, reason: "either key or kind has to be given")
        case (.some, .some): throw ControlQuery.Fault(field: "kind", value: query.text("kind"), reason: "either key or kind, not both")
        }
        return { agent in
            let reader = try agent.history()
            let latest = try agent.knownTopology()
            let place = agent.historyPlace
            return later {
                let wanted = try network.map { try self.network($0, in: [latest.snapshot]) }
                let span = RateReader.Span(from: from, to: to, step: step, keeps: place?.keeps ?? { _ in .zero })
                let whole = try named(subject, latest.snapshot)
                return try json(RateReader(reader).list(of: whole, span, measure, network: wanted, latest.snapshot))
            }
        }
    }

    /// With the whole key of what is called by less of it now.
    private static func named(_ subject: RateReader.Subject, _ snapshot: Snapshot) throws(TopologyRefusal) -> RateReader.Subject {
        guard case .one(let text) = subject else { return subject }
        return .one(try snapshot.seriesSubject(text))
    }

    static func events(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let network = query.text("network")
        return { agent in
            let snapshot = try agent.knownTopology().snapshot
            let wanted = try network.map { try self.network($0, in: [snapshot]) }
            guard let feed = agent.topology?.feed else { throw TopologyRefusal.notKept }
            return ControlResponse(contentType: "text/event-stream") { feed.add($0, network: wanted) }
        }
    }

    private static func network(_ text: String, in snapshots: [Snapshot]) throws(TopologyRefusal) -> NetworkKey {
        for snapshot in snapshots {
            if case .found(let node) = snapshot.find(text), case .network(let key) = snapshot.key(of: node) { return key }
        }
        throw TopologyRefusal(status: 404, error: "no network is called \(text)", hint: "GET /v1/networks lists them")
    }
}
