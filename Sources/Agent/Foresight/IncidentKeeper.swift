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
        /// What became of incidents and nobody has been told.
        var untold: [Int: IncidentEvent.Kind] = [:]
        /// Which were told of lately, when, and whether as over.
        var told: [Int: (at: Int64, isOver: Bool)] = [:]
        var settledAt: Int64?
        /// Series with an anomaly that is too small for a word, so far.
        var small: Set<String> = []

        mutating func note(_ id: Int, _ kind: IncidentEvent.Kind) { untold[id] = untold[id] == .began ? .began : kind }

        /// What is to be told of an incident by now: that it began and that it is over at once, that it goes on not too often.
        mutating func take(_ id: Int, at now: Int64) -> IncidentEvent? {
            guard let kind = untold[id], let incident = book[id] else {
                untold[id] = nil
                return nil
            }
            let (isOver, last) = (incident.end != nil, told[id])
            let isUrgent = kind == .began || isOver && last?.isOver != true
            guard isUrgent || last.map({ abs(now - $0.at) >= IncidentKeeper.pause }) != false else { return nil }
            untold[id] = kind == .began && isOver ? .changed : nil
            told[id] = (now, isOver && kind != .began)
            return IncidentEvent(kind: kind == .began ? .began : isOver ? .ended : .changed, incident: incident)
        }
    }

    private let state: Mutex<State>
    let isOn: Bool
    private let clock: StepClock
    private let folder: ForesightFolder?
    private let log: Log
    /// What is wrong with the disk, which is told once; one writes at a time.
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
            if let kept = try folder?.readIncidents() {
                book = kept.book
                if kept.dropped > 0 {
                    log.warning("earlier incidents: what is damaged of them is left out", ["parts": LogValue(kept.dropped)])
                }
            }
        } catch { log.warning("earlier incidents are not known", ["reason": LogValue("\(error)")]) }
        let known = book
        book.closeAll(at: Timestamp.now.nanoseconds / 1_000_000_000)
        state = Mutex(State(book: book, memory: TrafficMemory(seconds: max(clock.look, 10))))
        // The next agent does not close them once more.
        if book != known { keep() }
    }

    var notPosted: Int { webhook?.lost ?? 0 }
    var book: IncidentBook { state.withLock { $0.book } }

    // MARK: What is found

    /// Between two looks at what goes on.
    private static let refresh: Int64 = 10
    /// Between two words on an incident that goes on.
    private static let pause: Int64 = 10

    func turn(
        _ findings: [SeriesBook.Finding], _ snapshot: Snapshot, _ loads: TrafficLoads, at now: Int64, series: (String) -> WatchedSeries?
    ) {
        guard isOn else { return }
        state.withLock { state in
            state.memory.add(loads, snapshot)
            var changed: [Int: IncidentEvent.Kind] = [:]
            var begun: [Incident.Member] = []
            for finding in findings {
                if finding.ended != nil { state.small.remove(finding.key) }
                if let ended = finding.ended, let id = state.book.update(Incident.Member(finding.key, ended)) { changed[id] = .changed }
                if let began = finding.began { begun.append(Incident.Member(finding.key, began)) }
            }
            begin(begun, &state, at: now, series, &changed)
            if abs(now - state.refreshedAt) >= Self.refresh {
                state.refreshedAt = now
                let small = state.small.sorted().compactMap { key in series(key)?.anomaly.map { Incident.Member(key, $0) } }
                state.small = []
                begin(small, &state, at: now, series, &changed)
                state.book.correct(at: now)
                state.told = state.told.filter { abs(now - $0.value.at) < Self.pause }
                for id in refresh(&state.book, at: now, series) { changed[id] = changed[id] ?? .changed }
            }
            explain(Array(changed.keys), &state, at: now, series)
            for (id, kind) in changed { state.note(id, kind) }
        }
        settle(at: now)
    }

    /// Of those that are large enough for a word; the others may become so.
    private func begin(
        _ members: [Incident.Member], _ state: inout State, at now: Int64, _ series: (String) -> WatchedSeries?,
        _ changed: inout [Int: IncidentEvent.Kind]
    ) {
        guard !members.isEmpty else { return }
        let materiality = Materiality(series)
        for began in members {
            guard materiality.isEnough(began, series(began.key)) else {
                if !began.isOfPair { state.small.insert(began.key) }
                continue
            }
            state.small.remove(began.key)
            let causes = Self.causes(of: began, state.memory, at: now, series)
            let begun = state.book.begin(began, at: now, look: clock.look, touching: Self.addresses) { key in
                var relations = Self.relations(key)
                if key == began.key { relations.anchors.formUnion(causes) }
                return relations
            }
            if let begun { changed[begun.id] = begun.isNew ? .began : changed[begun.id] ?? .changed }
        }
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
    ///
    /// - Parameter goesOn: it was reported before.
    func report(_ member: Incident.Member, goesOn: Bool = false, relations: IncidentBook.Relations, at now: Int64) {
        guard isOn else { return }
        state.withLock { state in
            if let id = state.book.update(member) { return state.note(id, .changed) }
            guard member.end == nil else { return }
            let begun = state.book.begin(member, goesOn: goesOn, at: now, look: clock.look, touching: Self.addresses) {
                $0 == member.key ? relations : Self.relations($0)
            }
            if let begun { state.note(begun.id, begun.isNew ? .began : .changed) }
        }
        settle(at: now)
    }

    private static func relations(_ key: String) -> IncidentBook.Relations {
        SeriesKey(key)?.relations ?? IncidentBook.Relations(ofSuspicion: key)
    }

    /// Keeps what changed, then tells of it, once a second at most: whoever can cause anomalies does not decide how much is written.
    private func settle(at now: Int64) {
        let due = state.withLock { state -> [IncidentEvent] in
            guard now != state.settledAt, !state.untold.isEmpty else { return [] }
            state.book.correct(at: now)
            let due = state.untold.keys.sorted().compactMap { state.take($0, at: now) }
            if !due.isEmpty { state.settledAt = now }
            return due
        }
        guard !due.isEmpty else { return }
        keep()
        for event in due { tell(event) }
    }

    private func tell(_ event: IncidentEvent) {
        feed.tell(event)
        webhook?.post(event)
        guard event.kind != .changed, let first = event.incident.members.first else { return }
        let fields: KeyValuePairs<String, LogValue> = [
            "incident": LogValue(event.incident.id), "what": LogValue(first.kind), "series": LogValue(first.title),
            "members": LogValue(event.incident.members.count + event.incident.more),
        ]
        if event.kind == .began { log.warning("anomaly", fields) } else { log.info("anomaly is over", fields) }
    }

    private func keep() {
        guard let folder else { return }
        complaint.withLock { complaint in
            do {
                try folder.write(book)
                complaint = nil
            } catch {
                let text = "\(error)"
                if complaint != text { log.warning("incidents are not kept", ["reason": LogValue(text)]) }
                complaint = text
            }
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

    /// Keeps what nobody was told of yet, too.
    func stop() {
        if state.withLock({ !$0.untold.isEmpty }) { keep() }
        webhook?.stop()
    }
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
