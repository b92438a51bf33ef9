import API
import Foresight
import NetworkTypes
import Profiles
import Reports
import Topology

/// What may be asked of how a series usually is.
extension ControlRoutes {
    /// Other series that are looked at for leads: the busiest.
    private static let others = 80
    /// Steps that they are compared over.
    private static let compared = 2016

    static func profile(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let text = query.text("key") ?? SeriesKey.total
        let measure = try query.choice("measure", standard: SeriesKey.Measure.bits)
        return { agent in
            let thread = try agent.foresight()
            let snapshot = try agent.knownTopology().snapshot
            return later {
                let found = try watched(try subject(text, snapshot, thread), measure, thread)
                let key = found[0].key
                let end = found[0].series.values.end
                let directions = found.map { one in
                    let values = one.series.values.all
                    let summary = one.series.profile.summary(
                        values: values, until: one.series.values.end * Int64(thread.clock.step))
                    let bounds = one.key.bounds
                    var direction = ProfileReport.Direction(one.key.direction, summary, values: values) {
                        AmountText(unit: one.key.unit).text($0.clamped(to: bounds))
                    }
                    // What the sketch says of seconds is right within a hundredth: it may be beyond what there is.
                    let quantiles = direction.seconds?.quantiles.map { $0.clamped(to: bounds) }
                    direction.seconds?.quantiles = quantiles ?? []
                    return direction
                }
                return try json(
                    ProfileReport(
                        at: Timestamp(second: end * Int64(thread.clock.step)), calendar: thread.clock.calendar, key: key.subject,
                        name: key.name, unit: key.unit, directions: directions, relations: relations(found, thread)))
            }
        }
    }

    /// Which series lead these, or follow them.
    private static func relations(_ found: [(key: SeriesKey, series: WatchedSeries)], _ thread: ForesightThread) -> [ProfileReport.Relation]
    {
        let own = found[0].key.subject
        var others = thread.keys.compactMap(SeriesKey.init).filter { $0.subject != own && $0.measure != .packets }
            .compactMap { key in thread.series(key.text).map { (key: key, series: $0) } }
        others.sort { ($0.series.usual ?? 0, $1.key.text) > ($1.series.usual ?? 0, $0.key.text) }
        let all = found + others.prefix(Self.others)
        let end = all.map(\.series.values.end).max() ?? 0
        let values = all.map { one in (end - Int64(compared)..<end).map { one.series.values[$0] } }
        return LeadingCorrelations.find(values, stepsPerDay: StepClock.grain).compactMap { relation in
            let isLeader = relation.leader < found.count
            guard isLeader != (relation.follower < found.count) else { return nil }
            let (mine, other) = isLeader ? (relation.leader, relation.follower) : (relation.follower, relation.leader)
            return ProfileReport.Relation(
                key: all[other].key.subject, name: all[other].key.name, direction: all[mine].key.direction,
                otherDirection: all[other].key.direction, otherLeads: !isLeader, lagSeconds: relation.lag * thread.clock.step,
                correlation: relation.correlation)
        }
    }
}
