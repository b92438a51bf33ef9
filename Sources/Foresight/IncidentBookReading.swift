/// A book out of a file that anything may have happened to: what cannot be is left out, the rest is kept.
///
/// Throws what the decoder does where the whole is none.
public struct IncidentBookReading: Decodable, Sendable {
    public private(set) var book: IncidentBook
    /// Incidents, members and contributors of incidents, and silences that were left out.
    public private(set) var dropped = 0

    /// Seconds since 1970 that 64 bits hold as nanoseconds.
    private static let times: ClosedRange<Int64> = 0...Int64.max / 1_000_000_000
    private static let ids = 1...Int(Int32.max)
    /// Of any value; more is no amount of anything.
    private static let amounts = -1e18...1e18

    /// What is none of what it should be does not hide its neighbours.
    private struct Legible<Value: Decodable>: Decodable {
        let value: Value?
        init(from decoder: any Decoder) { value = try? Value(from: decoder) }
    }

    private struct KeptIncident: Decodable {
        var id: Int
        var members: [Legible<Incident.Member>]
        var rest: Legible<Incident.Rest>?
        var contributors: [Legible<Incident.Contributor>]
        var verdict: Legible<Incident.Verdict>?
        var verdictAt: Legible<Int64>?
    }

    public init(from decoder: any Decoder) throws {
        book = IncidentBook()
        let values = try decoder.container(keyedBy: IncidentBook.CodingKeys.self)
        let kept = try values.decode([Legible<KeptIncident>].self, forKey: .incidents)
        let silences = try values.decode([Legible<Silence>].self, forKey: .silences)
        let silenced = try values.decodeIfPresent(Legible<Int>.self, forKey: .silenced)?.value ?? 0
        let nextID = try values.decodeIfPresent(Legible<Int>.self, forKey: .nextID)?.value ?? 1
        var incidents: [Incident] = []
        var known: Set<Int> = []
        for one in kept {
            if let whole = one.value, known.insert(whole.id).inserted, let incident = incident(whole) {
                incidents.append(incident)
            } else {
                dropped += 1
            }
        }
        book = IncidentBook(
            incidents: incidents.suffix(IncidentBook.limit),
            silences: take(silences) { Self.times.contains($0.until) && !$0.pattern.isEmpty ? $0 : nil },
            silenced: min(max(0, silenced), Int(Int32.max)), nextID: Self.ids.contains(nextID) ? nextID : 1)
    }

    /// Those that are whole and can be; the others are counted.
    private mutating func take<Kept, Value>(_ all: [Legible<Kept>], _ whole: (Kept) -> Value?) -> [Value] {
        let values = all.compactMap { $0.value.flatMap(whole) }
        dropped += all.count - values.count
        return values
    }

    private mutating func incident(_ kept: KeptIncident) -> Incident? {
        guard Self.ids.contains(kept.id) else { return nil }
        let members = take(kept.members) { Self.canBe($0) ? $0 : nil }
        guard !members.isEmpty else { return nil }
        var incident = Incident(id: kept.id, members: [])
        incident.rest = kept.rest?.value.flatMap { Self.canBe($0) ? $0 : nil }
        // An older agent named all.
        for member in members { incident.add(member, goesOn: false) }
        incident.contributors = take(kept.contributors) { Self.canBe($0) ? $0 : nil }
        incident.verdict = kept.verdict?.value
        incident.verdictAt = kept.verdictAt?.value.flatMap { Self.times.contains($0) ? $0 : nil }
        return incident
    }

    private static func canBe(_ member: Incident.Member) -> Bool {
        let values = [member.expected?.value, member.expected?.low, member.expected?.high, member.extreme].compactMap { $0 }
        return times.contains(member.start) && times.contains(member.end ?? member.start) && (member.end ?? .max) >= member.start
            && (0...1).contains(member.probability) && (0...1e6).contains(member.unlikelihood)
            && values.allSatisfy { amounts.contains($0) }
    }

    private static func canBe(_ rest: Incident.Rest) -> Bool {
        (1...Int(Int32.max)).contains(rest.count) && rest.firstStart <= rest.lastStart
            && [rest.firstStart, rest.lastStart, rest.lastEnd].allSatisfy { times.contains($0) }
    }

    private static func canBe(_ contributor: Incident.Contributor) -> Bool {
        amounts.contains(contributor.before) && amounts.contains(contributor.during) && (-1e6...1e6).contains(contributor.share)
    }
}
