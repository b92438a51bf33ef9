import Anomalies

/// What went wrong at one time and for one cause, as far as that can be told: the anomalies of several series.
public struct Incident: Hashable, Sendable, Codable {
    public struct Member: Hashable, Sendable, Codable {
        public struct Range: Hashable, Sendable, Codable {
            public var value: Double
            public var low: Double
            public var high: Double

            public init(value: Double, low: Double, high: Double) {
                self.value = value
                self.low = low
                self.high = high
            }
        }

        /// Of the series, or of what the packets themselves gave away.
        public var key: String
        public var kind: String
        /// Seconds since 1970; the end is nil while it goes on.
        public var start: Int64
        public var end: Int64?
        /// 0.5 to 1.
        public var probability: Double
        /// Minus the decimal logarithm of the chance, see `Anomaly.unlikelihood`.
        public var unlikelihood: Double
        public var expected: Range?
        public var extreme: Double?
        /// What else is known, in words.
        public var evidence: String?

        public init(
            key: String, kind: String, start: Int64, end: Int64? = nil, probability: Double, unlikelihood: Double, expected: Range? = nil,
            extreme: Double? = nil, evidence: String? = nil
        ) {
            self.key = key
            self.kind = kind
            self.start = start
            self.end = end
            self.probability = probability
            self.unlikelihood = unlikelihood
            self.expected = expected
            self.extreme = extreme
            self.evidence = evidence
        }

        public var isOfPair: Bool { kind == AnomalyKind.correlatedBreak.rawValue }

        /// How far the value was from what was expected, in the series' unit; nil where either is not known.
        public var change: Double? {
            guard let expected, let extreme else { return nil }
            return extreme - expected.value
        }
    }

    /// Members beyond ``most``: how many, and when. So nobody who can cause anomalies makes an incident as large as they like.
    public struct Rest: Hashable, Sendable, Codable {
        public var count: Int
        public var firstStart: Int64
        public var lastStart: Int64
        /// When the last of them that is known to be over was.
        public var lastEnd: Int64
    }

    /// What of the traffic changed with it.
    public struct Contributor: Hashable, Sendable, Codable {
        /// `conversation`, `host` or `application`.
        public var kind: String
        public var key: String
        /// bit/s, before and during.
        public var before: Double
        public var during: Double
        /// Of the whole change, 0 to 1.
        public var share: Double

        public init(kind: String, key: String, before: Double, during: Double, share: Double) {
            self.kind = kind
            self.key = key
            self.before = before
            self.during = during
            self.share = share
        }
    }

    public enum Verdict: String, Hashable, Sendable, Codable, CaseIterable {
        case seen
        case falseAlarm = "false-alarm"
    }

    /// Members that are named at most.
    public static let most = 64

    /// Counts up from 1.
    public var id: Int
    /// The most unlikely first.
    public var members: [Member]
    /// nil while all are named.
    public var rest: Rest?
    public var contributors: [Contributor] = []
    public var verdict: Verdict?
    public var verdictAt: Int64?

    /// Members that are not named.
    public var more: Int { rest?.count ?? 0 }
    public var start: Int64 { (members.map(\.start) + (rest.map { [$0.firstStart] } ?? [])).min() ?? 0 }
    /// nil while one of the named members goes on.
    public var end: Int64? {
        var last = rest?.lastEnd ?? 0
        for member in members {
            guard let end = member.end else { return nil }
            last = max(last, end)
        }
        return last
    }
    public var probability: Double { members.map(\.probability).max() ?? 0 }
    public var unlikelihood: Double { members.map(\.unlikelihood).max() ?? 0 }

    /// Whether a member began then, give or take so many seconds.
    func isNear(_ time: Int64, within window: Int64) -> Bool {
        if let rest, rest.firstStart - window <= time, time <= rest.lastStart + window { return true }
        return members.contains { abs($0.start - time) <= window }
    }

    /// Names a member, instead of one that is over if they are too many, or else of the least unlikely one.
    ///
    /// - Parameter goesOn: it may be one of the rest: it gets the place of one that is over, or none.
    mutating func add(_ member: Member, goesOn: Bool) {
        members.removeAll { $0.key == member.key && $0.kind == member.kind }
        if goesOn, members.count >= Self.most, members.allSatisfy({ $0.end == nil }) { return }
        members.append(member)
        members.sort { a, b in
            // That one no longer follows the other says less than that one of them is unusual.
            a.isOfPair == b.isOfPair ? (a.unlikelihood, b.key) > (b.unlikelihood, a.key) : b.isOfPair
        }
        guard members.count > Self.most else { return }
        let left = members.remove(at: members.lastIndex { $0.end != nil } ?? members.count - 1)
        var rest = rest ?? Rest(count: 0, firstStart: left.start, lastStart: left.start, lastEnd: left.start)
        rest.count += goesOn ? 0 : 1
        rest.firstStart = min(rest.firstStart, left.start)
        rest.lastStart = max(rest.lastStart, left.start)
        rest.lastEnd = max(rest.lastEnd, left.end ?? left.start)
        self.rest = rest
    }

    /// The latest moment that is told of it.
    var latest: Int64 {
        var all = members.flatMap { [$0.start, $0.end ?? $0.start] }
        if let rest { all += [rest.lastStart, rest.lastEnd] }
        return all.max() ?? 0
    }

    /// Nothing of it was after a moment.
    mutating func limit(to time: Int64) {
        for index in members.indices {
            members[index].start = min(members[index].start, time)
            members[index].end = members[index].end.map { min($0, time) }
        }
        if let all = rest {
            rest = Rest(
                count: all.count, firstStart: min(all.firstStart, time), lastStart: min(all.lastStart, time),
                lastEnd: min(all.lastEnd, time))
        }
    }
}

/// Series of which no anomalies are told for a while.
public struct Silence: Hashable, Sendable, Codable {
    /// A key, with `*` for anything.
    public var pattern: String
    /// Seconds since 1970.
    public var until: Int64

    public init(pattern: String, until: Int64) {
        self.pattern = pattern
        self.until = until
    }

    public func covers(_ key: String, at time: Int64) -> Bool {
        time < until && Self.matches(Array(key.utf8)[...], Array(pattern.utf8)[...])
    }

    /// `*` stands for any bytes, also none.
    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (text, pattern) = (text, pattern)
        var retry: (text: ArraySlice<UInt8>, pattern: ArraySlice<UInt8>)?
        while true {
            if pattern.first == UInt8(ascii: "*") {
                pattern = pattern.dropFirst()
                retry = (text, pattern)
            } else if let byte = text.first, byte == pattern.first {
                text = text.dropFirst()
                pattern = pattern.dropFirst()
            } else if text.isEmpty, pattern.isEmpty {
                return true
            } else if let from = retry, !from.text.isEmpty {
                retry = (from.text.dropFirst(), from.pattern)
                (text, pattern) = (from.text.dropFirst(), from.pattern)
            } else {
                return false
            }
        }
    }
}
