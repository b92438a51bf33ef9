import API
import NetworkTypes
import Reports
import Storage
import Topology

/// What may be asked of the past. The store is read on the listener's thread: neither the agent nor the topology waits for the disk.
extension ControlRoutes {
    static func difference(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (from, to) = try query.span()
        let isUntilNow = query.text("to") == nil
        let network = query.text("network")
        let layer = try query.optionalChoice("layer", of: TopologyLayer.self)
        return { agent in
            let reader = try agent.history()
            let latest = isUntilNow ? agent.topology?.latest : nil
            return ControlResponse(later: {
                let before = TopologyTeller(try reader.snapshot(at: from))
                let after = try latest.map(TopologyTeller.init) ?? TopologyTeller(try reader.snapshot(at: to))
                let wanted = try network.map { try self.network($0, in: [after.snapshot, before.snapshot]) }
                let changes = ChangeList(
                    after.snapshot.difference(from: before.snapshot), from: before, to: after, network: wanted, layer: layer)
                let shifts = try RateReader(reader).shifts(from, to, before: before, after: after, network: wanted, layer: layer)
                return try json(TopologyDifferenceReport(from: from, to: to, changes: changes, traffic: shifts))
            })
        }
    }

    static func history(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (from, to) = try query.span()
        let key = query.text("key")
        let top = try query.number("top", in: 1...100_000, standard: 1000)
        return { agent in
            let reader = try agent.history()
            return ControlResponse(later: {
                let entries = try reader.ask { (reading) throws(StorageError) in
                    try reading.log(from: from, to: to, of: key, limit: top)
                }
                let turns = entries.changes.compactMap { entry -> TopologyHistoryReport.Turn? in
                    guard let key = EntityKey(entry.key) else { return nil }
                    return TopologyHistoryReport.Turn(
                        time: entry.time, epoch: entry.epoch, key: key, before: entry.before.flatMap(EntityState.init(encoded:)),
                        after: entry.after.flatMap(EntityState.init(encoded:)))
                }
                return try json(TopologyHistoryReport(from: from, to: to, turns: turns, matched: entries.matched))
            })
        }
    }

    static func networks(_ agent: Agent) throws -> ControlResponse {
        let latest = try agent.knownTopology()
        return ControlResponse(later: { try json(NetworkListReport(TopologyTeller(latest))) })
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
            return ControlResponse(later: {
                let wanted = try network.map { try self.network($0, in: [latest.snapshot]) }
                let span = RateReader.Span(from: from, to: to, step: step, keeps: place?.keeps ?? { _ in .zero })
                return try json(RateReader(reader).list(of: subject, span, measure, network: wanted, latest.snapshot))
            })
        }
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
