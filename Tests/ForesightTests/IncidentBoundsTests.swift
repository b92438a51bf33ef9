import Foundation
import Testing

@testable import Foresight

/// Whoever can cause anomalies, or damage a file, does not decide how large incidents become or whether the agent lives.
struct IncidentBoundsTests {
    private static func scan(_ number: Int, at start: Int64, end: Int64? = nil) -> Incident.Member {
        .init(key: "port-scan/\(number)", kind: "port-scan", start: start, end: end, probability: 0.99, unlikelihood: 10)
    }

    private static func begin(_ book: inout IncidentBook, _ member: Incident.Member, goesOn: Bool = false, at now: Int64) -> Int? {
        book.begin(member, goesOn: goesOn, at: now, look: 1) { .init(subject: $0, unit: "") }?.id
    }

    /// One scan a second, each of a minute: one incident, which is over when they are.
    @Test func thoseThatAreTooManyAreCounted() throws {
        var book = IncidentBook()
        for second in 0..<500 {
            let now = Int64(1000 + second)
            #expect(Self.begin(&book, Self.scan(second, at: now), at: now) == 1)
            if second >= 60 { _ = book.update(Self.scan(second - 60, at: now - 60, end: now)) }
        }
        let crowd = try #require(book[1])
        #expect(crowd.members.count == Incident.most && crowd.more == 500 - Incident.most && crowd.start == 1000 && crowd.end == nil)
        // Those that go on are named before those that are over.
        #expect(crowd.members.count { $0.end == nil } == 60)
        for second in 440..<500 { _ = book.update(Self.scan(second, at: Int64(1000 + second), end: 1560)) }
        #expect(book[1]?.end == 1560 && book[1]?.start == 1000)
    }

    /// Of more than are named at once, those that go on get the places of those that are over, and are not counted again.
    @Test func whatGoesOnIsNamedInTheEnd() throws {
        var book = IncidentBook()
        for number in 0..<100 { _ = Self.begin(&book, Self.scan(number, at: 1000), at: 1000) }
        let named = Set(try #require(book[1]).members.map(\.key))
        let others = (0..<100).filter { !named.contains("port-scan/\($0)") }
        #expect(named.count == 64 && others.count == 36)
        for number in others {
            #expect(book.update(Self.scan(number, at: 1000)) == nil)
            #expect(Self.begin(&book, Self.scan(number, at: 1000), goesOn: true, at: 1010) == 1)
        }
        #expect(book[1]?.more == 36 && book[1].map { Set($0.members.map(\.key)) } == named)
        for key in named { _ = book.update(.init(key: key, kind: "port-scan", start: 1000, end: 1020, probability: 1, unlikelihood: 10)) }
        #expect(book[1]?.end == 1020)
        for number in others { _ = Self.begin(&book, Self.scan(number, at: 1000), goesOn: true, at: 1030) }
        let incident = try #require(book[1])
        #expect(book.incidents.count == 1 && incident.more == 36 && incident.end == nil && incident.members.count { $0.end == nil } == 36)
        for number in others { #expect(book.update(Self.scan(number, at: 1000, end: 1040)) == 1) }
        #expect(book[1]?.end == 1040)
    }

    @Test func whatASilenceKeptQuietIsCountedOnce() {
        var book = IncidentBook()
        book.silence(Silence(pattern: "*", until: 5000))
        for turn in 0..<5 { #expect(Self.begin(&book, Self.scan(1, at: 1000), goesOn: turn > 0, at: 1000 + 10 * Int64(turn)) == nil) }
        #expect(book.silenced == 1)
    }

    /// A clock that is put forward by years, and back.
    @Test func nothingIsLaterThanNow() {
        var book = IncidentBook()
        let (now, ahead): (Int64, Int64) = (1_790_000_000, 1_890_000_000)
        _ = Self.begin(&book, Self.scan(1, at: now), at: now)
        _ = book.update(Self.scan(1, at: now, end: ahead))
        for number in 2..<100 { _ = Self.begin(&book, Self.scan(number, at: ahead), at: ahead) }
        #expect(book[1]?.end == ahead && book[2]?.end == nil)
        book.correct(at: ahead)
        #expect(book[1]?.end == ahead && book[2]?.start == ahead)
        book.correct(at: now + 60)
        #expect(book[1]?.start == now && book[1]?.end == now + 60 && book[2]?.start == now + 60 && book[2]?.end == nil)
        #expect(book[2]?.rest == .init(count: 34, firstStart: now + 60, lastStart: now + 60, lastEnd: now + 60))
        book.closeAll(at: now + 30)
        #expect(book.incidents.allSatisfy { ($0.end ?? .max) <= now + 60 && $0.start <= $0.end ?? 0 })
    }

    private static func read(_ text: String) throws -> IncidentBookReading {
        try JSONDecoder().decode(IncidentBookReading.self, from: Data(text.utf8))
    }

    private static func file(
        id: String = "7", start: String = "1790000000", end: String = "1790000060", probability: String = "0.9", more: String = "",
        silence: String = "1790000100", nextID: String = "9"
    ) -> String {
        """
        {"incidents": [ \
            {"id": 3, "contributors": [], "members": [ \
                {"key": "a", "kind": "spike", "start": 1780000000, "end": 1780000060, "probability": 0.9, "unlikelihood": 5}]}, \
            {"id": \(id), "contributors": [], \(more) "members": [ \
                {"key": "b", "kind": "spike", "start": \(start), "end": \(end), "probability": \(probability), "unlikelihood": 5}]} \
         ], "silences": [{"pattern": "x*", "until": 1790000000}, {"pattern": "y*", "until": \(silence)}], \
         "silenced": 4, "nextID": \(nextID)}
        """
    }

    @Test func whatIsWholeIsRead() throws {
        let kept = try Self.read(Self.file())
        #expect(kept.dropped == 0 && kept.book.incidents.map(\.id) == [3, 7] && kept.book.begun == 8 && kept.book.silenced == 4)
        #expect(kept.book.silences.map(\.pattern) == ["x*", "y*"] && kept.book[7]?.more == 0 && kept.book[7]?.end == 1_790_000_060)
        var more = try #require(kept.book[7])
        more.rest = .init(count: 5, firstStart: 1, lastStart: 2, lastEnd: 3)
        var book = IncidentBook(incidents: [more], silences: [], silenced: 0, nextID: 8)
        #expect(try Self.read(String(decoding: JSONEncoder().encode(book), as: UTF8.self)).book == book)
        book.closeAll(at: 1_800_000_000)
        #expect(book[7]?.more == 5 && book[7]?.start == 1)
    }

    /// One part is nonsense: it is left out and counted, the rest stays, and all that is asked of a book can be answered.
    @Test(arguments: [
        (file(start: "1000000000000"), [3], 2), (file(start: "-1"), [3], 2), (file(start: "-9223372036854775808"), [3], 2),
        (file(start: "1e300"), [3], 2), (file(start: "\"soon\""), [3], 2), (file(end: "9223372036854775807"), [3], 2),
        (file(end: "1780000000"), [3], 2), (file(end: "18446744073709551616"), [3], 2), (file(probability: "-1e300"), [3], 2),
        (file(id: "0"), [3], 1), (file(id: "9223372036854775807"), [3], 1), (file(id: "3"), [3], 1), (file(id: "null"), [3], 1),
        (file(silence: "99999999999999"), [3, 7], 1), (file(silence: "-5"), [3, 7], 1),
        (file(nextID: "-9223372036854775808"), [3, 7], 0), (file(nextID: "9223372036854775807"), [3, 7], 0),
        (file(nextID: "1"), [3, 7], 0),
        (file(more: #""rest": {"count": -3, "firstStart": 0, "lastStart": 0, "lastEnd": 0},"#), [3, 7], 0),
        (file(more: #""verdict": "yes", "verdictAt": 1e300,"#), [3, 7], 0),
    ])
    func whatIsDamagedIsLeftOut(text: String, ids: [Int], dropped: Int) throws {
        let kept = try Self.read(text)
        #expect(kept.dropped == dropped && kept.book.incidents.map(\.id) == ids, "\(kept)")
        #expect(kept.book[7]?.more ?? 0 == 0 && kept.book.silences.count == (dropped == 1 && ids == [3, 7] ? 1 : 2))
        #expect(kept.book.begun >= (ids.last ?? 0) && kept.book.begun <= Int(Int32.max))
        var book = kept.book
        book.closeAll(at: 1_795_000_000)
        #expect(Self.begin(&book, Self.scan(1, at: 1_795_000_000), at: 1_795_000_000) == book.begun)
    }

    @Test func whatIsNoBookIsRefused() {
        for text in ["", "[]", "{}", "{\"incidents\": 5}", "{\"incidents\": []}", "{\"incidents\": [], \"silences\": 3}"] {
            #expect(throws: (any Error).self) { try Self.read(text) }
        }
    }

    /// An older agent named every member.
    @Test func anOlderCrowdIsCutWhenRead() throws {
        let members = (0..<3000).map { Self.scan($0, at: 1000, end: 2000) }
        var crowd = Incident(id: 1, members: [])
        crowd.members = members
        let book = IncidentBook(incidents: [crowd], silences: [], silenced: 0, nextID: 2)
        let kept = try Self.read(String(decoding: JSONEncoder().encode(book), as: UTF8.self))
        #expect(kept.dropped == 0 && kept.book[1]?.members.count == 64 && kept.book[1]?.more == 2936 && kept.book[1]?.end == 2000)
    }
}
