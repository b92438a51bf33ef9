import TestSupport
import Testing

@testable import Foresight

struct IncidentTests {
    private static func member(_ key: String, at start: Int64, change: Double? = 100, unlikelihood: Double = 5) -> Incident.Member {
        .init(
            key: key, kind: "spike", start: start, probability: 0.9, unlikelihood: unlikelihood,
            expected: change.map { _ in .init(value: 10, low: 5, high: 15) }, extreme: change.map { 10 + $0 })
    }

    /// `SUBJECT`, or `A~B` of a link, or `host` for what has part in everything; bits unless it ends with `#`.
    private static func relations(_ key: String) -> IncidentBook.Relations {
        let unit = key.hasSuffix("#") ? "packet/s" : "bit/s"
        let subject = key.hasSuffix("#") ? String(key.dropLast()) : key
        return .init(
            subject: subject, anchors: Set(subject.split(separator: "~").map(String.init)).union([subject]), isWhole: subject == "host",
            unit: unit)
    }

    private static func groups(_ members: [Incident.Member]) -> [[String]] {
        var book = IncidentBook()
        for member in members { _ = book.begin(member, at: member.start, look: 60, relations: relations) }
        return book.incidents.map { $0.members.map(\.key).sorted() }
    }

    @Test func whatBelongsTogetherIsOneIncident() {
        // One thing; a shared end; as much more in both; what has part in everything.
        #expect(Self.groups([Self.member("a", at: 0), Self.member("a#", at: 60, change: 3)]) == [["a", "a#"]])
        #expect(Self.groups([Self.member("a", at: 0), Self.member("a~b", at: 60, change: 3)]) == [["a", "a~b"]])
        #expect(Self.groups([Self.member("a", at: 0), Self.member("c", at: 60, change: 120)]) == [["a", "c"]])
        #expect(Self.groups([Self.member("a", at: 0), Self.member("host", at: 60, change: 1)]) == [["a", "host"]])
    }

    /// The same hosts explain most of both; and what they did most stays the explanation.
    @Test func whatTheSameHostsExplainIsOneIncident() throws {
        var book = IncidentBook()
        func talk(_ during: Double) -> Incident.Contributor {
            .init(kind: "conversation", key: "a~b", before: 0, during: during, share: 0.9)
        }
        func begin(_ key: String, at time: Int64, change: Double = 100) -> Int? {
            book.begin(
                Self.member(key, at: time, change: change), at: time, look: 1,
                touching: { Set($0.key.split(separator: "~").map(String.init)) },
                relations: Self.relations)?.id
        }
        let first = begin("eth0", at: 100)
        book.explain(1, [talk(50)])
        book.explain(1, [talk(20)])
        #expect(first == 1 && book[1]?.contributors.map(\.during) == [50])
        let (same, other, late) = (begin("b~c#", at: 108), begin("d~e#", at: 108, change: 1e6), begin("x~b#", at: 130))
        #expect(same == 1 && other == 2 && late == 3)
    }

    @Test func whatDoesNotIsTwo() {
        // Much less; less instead of more; another unit; much later; only the host in common.
        #expect(Self.groups([Self.member("a", at: 0), Self.member("c", at: 60, change: 20)]).count == 2)
        #expect(Self.groups([Self.member("a", at: 0), Self.member("c", at: 60, change: -100)]).count == 2)
        #expect(Self.groups([Self.member("a", at: 0), Self.member("c#", at: 60)]).count == 2)
        #expect(Self.groups([Self.member("a", at: 0), Self.member("a", at: 360)]).count == 2)
        #expect(
            Self.groups([Self.member("a", at: 0), Self.member("host", at: 0, change: 1), Self.member("c", at: 0, change: 20)]).count == 2)
    }

    @Test func anIncidentEndsWithItsLastMember() throws {
        var book = IncidentBook()
        let first = book.begin(Self.member("a", at: 100), at: 100, look: 60, relations: Self.relations)
        let second = book.begin(Self.member("a#", at: 90, unlikelihood: 9), at: 110, look: 60, relations: Self.relations)
        #expect(first?.id == 1 && first?.isNew == true && second?.id == 1 && second?.isNew == false)
        var over = Self.member("a", at: 100)
        over.end = 400
        let updated = book.update(over)
        #expect(updated == 1 && book[1]?.end == nil)
        over = Self.member("a#", at: 95, unlikelihood: 9)
        over.end = 300
        let (again, never) = (book.update(over), book.update(over))
        #expect(again == 1 && never == nil)
        #expect(book[1]?.end == 400 && book[1]?.start == 90 && book[1]?.unlikelihood == 9 && book[1]?.members.first?.key == "a#")
    }

    @Test func silenceKeepsQuietForAWhile() {
        var book = IncidentBook()
        book.silence(Silence(pattern: "a*", until: 1000))
        let told = [("abc", Int64(900)), ("b", 900), ("abc", 1000)].map { key, time in
            book.begin(Self.member(key, at: time), at: time, look: 60, relations: Self.relations) != nil
        }
        #expect(told == [false, true, true] && book.silenced == 1)
        book.silence(Silence(pattern: "x", until: 5000))
        let (was, isNot) = (book.unsilence("x"), book.unsilence("x"))
        #expect(was && !isNot)
    }

    @Test(arguments: [
        ("*", "", true), ("*", "abc", true), ("a*c", "abc", true), ("a*c", "ac", true), ("a*c", "acb", false), ("", "", true),
        ("", "a", false),
        ("a", "a", true), ("a*b*c", "aXXbYbYc", true), ("*b", "ab", true), ("*b", "abc", false), ("**", "x", true), ("a.c", "abc", false),
    ])
    func starsStandForAnything(pattern: String, text: String, isCovered: Bool) {
        #expect(Silence(pattern: pattern, until: 1).covers(text, at: 0) == isCovered)
    }

    @Test func onlyTheLatestAreRemembered() {
        var book = IncidentBook()
        for number in 0..<1200 {
            _ = book.begin(Self.member("k\(number)", at: Int64(number) * 1000), at: 0, look: 60, relations: Self.relations)
        }
        #expect(book.incidents.count == 1000 && book.incidents.first?.id == 201 && book[1200] != nil && book[1] == nil)
        let (unknown, known) = (book.judge(1, .seen, at: 5), book.judge(1200, .falseAlarm, at: 5))
        #expect(!unknown && known && book[1200]?.verdict == .falseAlarm)
        book.closeAll(at: 2_000_000)
        #expect(book.incidents.allSatisfy { $0.end == 2_000_000 })
    }
}
