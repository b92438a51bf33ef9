/// Puts anomalies together to incidents, and remembers them.
///
/// Two anomalies are one incident when they began at nearly the same time and are related: they are of one thing, they share an end,
/// the same hosts explain most of both, or as much more (or less) was seen in both. So a burst that passes an interface, a network and an
/// application is told once.
public struct IncidentBook: Hashable, Sendable, Encodable {
    /// Oldest first.
    public private(set) var incidents: [Incident] = []
    public private(set) var silences: [Silence] = []
    /// Anomalies that a silence kept from being told.
    public private(set) var silenced = 0
    private var nextID = 1

    enum CodingKeys: String, CodingKey { case incidents, silences, silenced, nextID }

    /// Incidents that are remembered.
    public static let limit = 1000
    /// Looks between the beginnings of what belongs together, and seconds at least: what is noticed takes as long.
    static let window = 5
    private static let leastWindow = 10
    /// How near two changes are that are taken for the same: a ratio.
    private static let likeness = 1.5

    public init() {}

    /// What another one knew; what it gives as the next number is not less than that of its incidents.
    init(incidents: [Incident], silences: [Silence], silenced: Int, nextID: Int) {
        self.incidents = incidents
        self.silences = silences
        self.silenced = silenced
        self.nextID = max(nextID, (incidents.map(\.id).max() ?? 0) + 1)
    }

    /// Incidents that ever began.
    public var begun: Int { nextID - 1 }

    public subscript(id: Int) -> Incident? { incidents.last { $0.id == id } }

    /// What of a series decides what it is related to.
    public struct Relations: Sendable {
        /// What it is of, whatever is measured of it and in which direction.
        public var subject: String
        /// What it touches: ends, networks, namespaces.
        public var anchors: Set<String>
        /// Everything has part in it: the host's CPU.
        public var isWhole: Bool
        /// What its values are of: only changes of the same can be alike.
        public var unit: String

        public init(subject: String, anchors: Set<String> = [], isWhole: Bool = false, unit: String) {
            self.subject = subject
            self.anchors = anchors
            self.isWhole = isWhole
            self.unit = unit
        }
    }

    /// An anomaly began.
    ///
    /// - Parameters:
    ///   - goesOn: it began earlier, but no incident names it: it is not counted again.
    ///   - look: seconds of one.
    ///   - touching: what has the most part in a contributor's change.
    ///   - relations: of a series.
    /// - Returns: the incident that it is part of, and whether that is a new one; nil when it is silenced.
    public mutating func begin(
        _ member: Incident.Member, goesOn: Bool = false, at now: Int64, look: Int,
        touching: (Incident.Contributor) -> Set<String> = { _ in [] }, relations: (String) -> Relations
    ) -> (id: Int, isNew: Bool)? {
        silences.removeAll { $0.until <= now }
        guard !silences.contains(where: { $0.covers(member.key, at: now) }) else {
            silenced += goesOn ? 0 : 1
            return nil
        }
        let own = relations(member.key)
        let place = incidents.lastIndex { incident in
            let window = Int64(max(Self.window * look, Self.leastWindow))
            guard incident.isNear(member.start, within: window) else { return false }
            let others = incident.members.map { ($0, relations($0.key)) }
            // What has part in everything joins others, and does not join them to each other.
            if own.isWhole || others.allSatisfy({ $0.1.isWhole }) { return true }
            if incident.contributors.contains(where: { !touching($0).isDisjoint(with: own.anchors) }) { return true }
            return others.contains { Self.belong(member, own, $0.0, $0.1) }
        }
        guard let place else {
            incidents.append(Incident(id: nextID, members: [member]))
            nextID += 1
            if incidents.count > Self.limit { incidents.removeFirst(incidents.count - Self.limit) }
            return (nextID - 1, true)
        }
        incidents[place].add(member, goesOn: goesOn)
        return (incidents[place].id, false)
    }

    private static func belong(_ a: Incident.Member, _ own: Relations, _ b: Incident.Member, _ other: Relations) -> Bool {
        if own.subject == other.subject { return true }
        if !own.anchors.isDisjoint(with: other.anchors) { return true }
        // Whatever goes missing at one time was kept from us by one thing.
        if a.kind == b.kind, a.expected == nil || a.extreme == nil { return true }
        guard own.unit == other.unit, let one = a.change, let two = b.change, (one < 0) == (two < 0) else { return false }
        return abs(one) <= likeness * abs(two) && abs(two) <= likeness * abs(one)
    }

    /// An anomaly is over, or is better known now.
    ///
    /// - Returns: the incident that it is part of.
    public mutating func update(_ member: Incident.Member) -> Int? {
        for place in incidents.indices.reversed() {
            let ofSeries = incidents[place].members.indices.filter { index in
                let one = incidents[place].members[index]
                // A series can be unusual by itself and beside another one at a time.
                return one.key == member.key && one.end == nil && one.isOfPair == member.isOfPair
            }
            guard let index = ofSeries.first else { continue }
            var member = member
            // It was found later than it began; what an alert said of its beginning stands.
            member.start = min(member.start, incidents[place].members[index].start)
            incidents[place].members[index] = member
            return incidents[place].id
        }
        return nil
    }

    /// What has part in it now. The explanation of when it was the most stays.
    public mutating func explain(_ id: Int, _ contributors: [Incident.Contributor]) {
        guard let place = incidents.lastIndex(where: { $0.id == id }) else { return }
        func size(_ contributors: [Incident.Contributor]) -> Double { contributors.map { abs($0.during - $0.before) }.max() ?? 0 }
        guard size(contributors) > size(incidents[place].contributors) else { return }
        incidents[place].contributors = contributors
    }

    /// - Returns: whether there is such an incident.
    public mutating func judge(_ id: Int, _ verdict: Incident.Verdict, at now: Int64) -> Bool {
        guard let place = incidents.lastIndex(where: { $0.id == id }) else { return false }
        incidents[place].verdict = verdict
        incidents[place].verdictAt = now
        return true
    }

    public mutating func silence(_ silence: Silence) {
        silences.removeAll { $0.pattern == silence.pattern }
        silences.append(silence)
    }

    /// - Returns: whether there was such a silence.
    public mutating func unsilence(_ pattern: String) -> Bool {
        let count = silences.count
        silences.removeAll { $0.pattern == pattern }
        return silences.count < count
    }

    /// A clock that was put back leaves times behind that have not come yet: they become now. What is ahead by a few seconds stays, for
    /// who notices things looks at the clock at other moments.
    public mutating func correct(at now: Int64) {
        for place in incidents.indices where incidents[place].latest > now + Int64(Self.leastWindow) { incidents[place].limit(to: now) }
    }

    /// An agent that ended cannot tell when what it saw was over: that is when it last looked.
    public mutating func closeAll(at time: Int64) {
        correct(at: time)
        for place in incidents.indices {
            for index in incidents[place].members.indices where incidents[place].members[index].end == nil {
                incidents[place].members[index].end = max(time, incidents[place].members[index].start)
            }
        }
    }
}
