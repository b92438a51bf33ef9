import API
import Anomalies
import Configuration
import Foresight
import Logging
import NetworkTypes
import Synchronization
import Topology

/// Keeps the incidents: what was found is put together, explained, kept on disk at once, and told to whoever listens.
final class IncidentKeeper: Sendable {
    private struct State: Sendable {
        var book: IncidentBook
        var memory: TrafficMemory
        var refreshedAt: Int64 = 0
    }

    private let state: Mutex<State>
    private let isOn: Bool
    private let clock: StepClock
    private let folder: ForesightFolder?
    private let log: Log
    private let complaint = Mutex<String?>(nil)
    let feed = IncidentFeed()
    private let webhook: Webhook?

    /// - Parameter post: how incidents go to the webhook.
    init(
        _ configuration: AgentConfiguration.Anomalies, _ clock: StepClock, _ folder: ForesightFolder?, _ log: Log,
        post: @escaping Webhook.Post = WebPost.send
    ) {
        isOn = configuration.isOn
        self.clock = clock
        self.folder = folder
        self.log = log
        webhook = configuration.webhook.map { Webhook($0, log, post) }
        var book = IncidentBook()
        do {
            if let kept = try folder?.readIncidents() { book = kept }
        } catch { log.warning("earlier incidents are not known", ["reason": LogValue("\(error)")]) }
        book.closeAll(at: Timestamp.now.nanoseconds / 1_000_000_000)
        state = Mutex(State(book: book, memory: TrafficMemory(seconds: max(clock.look, 10))))
    }

    var notPosted: Int { webhook?.lost ?? 0 }
    var book: IncidentBook { state.withLock { $0.book } }

    // MARK: What is found

    /// Between two looks at what goes on.
    private static let refresh: Int64 = 10

    func turn(
        _ findings: [SeriesBook.Finding], _ snapshot: Snapshot, _ loads: TrafficLoads, at now: Int64, series: (String) -> WatchedSeries?
    ) {
        guard isOn else { return }
        let told = state.withLock { state -> [(event: IncidentEvent.Kind, incident: Incident)] in
            state.memory.add(loads, snapshot)
            var changed: [Int: IncidentEvent.Kind] = [:]
            let materiality = findings.isEmpty ? nil : Materiality(series)
            for finding in findings {
                if let ended = finding.ended, let id = state.book.update(Incident.Member(finding.key, ended)) { changed[id] = .changed }
                guard let began = finding.began.map({ Incident.Member(finding.key, $0) }),
                    materiality?.isEnough(began, series(finding.key)) == true
                else { continue }
                let causes = Self.causes(of: began, state.memory, at: now, series)
                let begun = state.book.begin(began, at: now, look: clock.look, touching: Self.addresses) { key in
                    var relations = Self.relations(key)
                    if key == began.key { relations.anchors.formUnion(causes) }
                    return relations
                }
                if let begun { changed[begun.id] = begun.isNew ? .began : changed[begun.id] ?? .changed }
            }
            if now - state.refreshedAt >= Self.refresh {
                state.refreshedAt = now
                for id in refresh(&state.book, at: now, series) { changed[id] = changed[id] ?? .changed }
            }
            explain(Array(changed.keys), &state, at: now, series)
            return changed.sorted { $0.key < $1.key }.compactMap { id, kind in
                state.book[id].map { (kind == .changed && $0.end != nil ? .ended : kind, $0) }
            }
        }
        tell(told)
    }

    /// What is known better by now, and what nobody watches any more.
    private func refresh(_ book: inout IncidentBook, at now: Int64, _ series: (String) -> WatchedSeries?) -> [Int] {
        var changed: [Int] = []
        for incident in book.incidents.reversed() where incident.end == nil {
            for member in incident.members where member.end == nil && SeriesKey(member.key) != nil {
                var newer = member
                let watched = series(member.key)
                if member.isOfPair, watched != nil { continue }
                if let anomaly = watched?.anomaly, !member.isOfPair {
                    newer = Incident.Member(member.key, anomaly)
                    newer.start = min(newer.start, member.start)
                } else {
                    newer.end = now
                }
                if newer != member, let id = book.update(newer) { changed.append(id) }
            }
        }
        return changed
    }

    private func explain(_ ids: [Int], _ state: inout State, at now: Int64, _ series: (String) -> WatchedSeries?) {
        for id in ids {
            // What became of disks, or of the number of flows, says nothing about who moves how much.
            guard let incident = state.book[id], incident.end == nil, incident.members.contains(where: \.isOfTraffic) else { continue }
            state.book.explain(id, Self.contributors(since: incident.start, state.memory, at: now, series))
        }
    }

    private static func contributors(
        since start: Int64, _ memory: TrafficMemory, at now: Int64, _ series: (String) -> WatchedSeries?
    ) -> [Incident.Contributor] {
        memory.contributors(over: Int(max(1, now - start))) { key in
            [false, true].reduce(0) { sum, isBackward in
                sum + (series(SeriesKey(key, .bits, isBackward: isBackward).text)?.usual(before: start) ?? 0)
            }
        }
    }

    /// Hosts that most of an anomaly is of.
    private static func causes(
        of member: Incident.Member, _ memory: TrafficMemory, at now: Int64, _ series: (String) -> WatchedSeries?
    ) -> Set<String> {
        guard member.isOfTraffic else { return [] }
        return contributors(since: member.start, memory, at: now, series).reduce(into: []) { $0.formUnion(addresses($1)) }
    }

    /// Of the two ends of a conversation that is most of a change.
    private static func addresses(_ contributor: Incident.Contributor) -> Set<String> {
        guard contributor.kind == "conversation", contributor.share > 0.5 else { return [] }
        return SeriesKey(contributor.key, .bits, isBackward: false).ends ?? []
    }

    /// What the packets themselves gave away, as an incident's member. Waits for the disk.
    func report(_ member: Incident.Member, relations: IncidentBook.Relations, at now: Int64) {
        guard isOn else { return }
        let told = state.withLock { state -> (event: IncidentEvent.Kind, incident: Incident)? in
            if let id = state.book.update(member) { return state.book[id].map { ($0.end == nil ? .changed : .ended, $0) } }
            guard member.end == nil else { return nil }
            let begun = state.book.begin(member, at: now, look: clock.look, touching: Self.addresses) {
                $0 == member.key ? relations : Self.relations($0)
            }
            return begun.flatMap { begun in state.book[begun.id].map { (begun.isNew ? .began : .changed, $0) } }
        }
        if let told { tell([told]) }
    }

    private static func relations(_ key: String) -> IncidentBook.Relations {
        SeriesKey(key)?.relations ?? IncidentBook.Relations(subject: key, unit: "")
    }

    private func tell(_ told: [(event: IncidentEvent.Kind, incident: Incident)]) {
        guard !told.isEmpty else { return }
        keep()
        for (kind, incident) in told {
            let event = IncidentEvent(kind: kind, incident: incident)
            feed.tell(event)
            webhook?.post(event)
            guard kind != .changed, let first = incident.members.first else { continue }
            let line = kind == .began ? "anomaly" : "anomaly is over"
            let fields: KeyValuePairs<String, LogValue> = [
                "incident": LogValue(incident.id), "what": LogValue(first.kind), "series": LogValue(first.title),
                "members": LogValue(incident.members.count),
            ]
            if kind == .began { log.warning(line, fields) } else { log.info(line, fields) }
        }
    }

    private func keep() {
        guard let folder else { return }
        do {
            try folder.write(book)
            complaint.withLock { $0 = nil }
        } catch {
            let text = "\(error)"
            let isNew = complaint.withLock { old in
                defer { old = text }
                return old != text
            }
            if isNew { log.warning("incidents are not kept", ["reason": LogValue(text)]) }
        }
    }

    // MARK: What people say to it

    private var now: Int64 { Timestamp.now.nanoseconds / 1_000_000_000 }

    /// - Returns: whether there is such an incident.
    func judge(_ id: Int, _ verdict: Incident.Verdict) -> Bool {
        let isThere = state.withLock { $0.book.judge(id, verdict, at: now) }
        if isThere { keep() }
        return isThere
    }

    func silence(_ pattern: String, for length: Duration) -> Silence {
        let silence = Silence(pattern: pattern, until: now + length.components.seconds)
        state.withLock { $0.book.silence(silence) }
        keep()
        return silence
    }

    /// - Returns: whether there was such a silence.
    func unsilence(_ pattern: String) -> Bool {
        let wasThere = state.withLock { $0.book.unsilence(pattern) }
        if wasThere { keep() }
        return wasThere
    }

    func stop() { webhook?.stop() }
}

extension Incident.Member {
    init(_ key: String, _ anomaly: Anomaly) {
        self.init(
            key: key, kind: anomaly.kind.rawValue, start: anomaly.start, end: anomaly.end, probability: anomaly.probability,
            // A tail that was fitted to calm values says absurd things of others.
            unlikelihood: min(anomaly.unlikelihood, 99),
            expected: anomaly.expected.map { .init(value: $0.value, low: $0.low, high: $0.high) }, extreme: anomaly.extreme)
    }

    /// Of what goes over something, in bits or packets.
    var isOfTraffic: Bool { SeriesKey(key).map { $0.measure != .level && $0.hostGauge == nil } ?? false }

    /// The series, for people.
    var title: String {
        SeriesKey(key)?.title ?? key
    }
}
