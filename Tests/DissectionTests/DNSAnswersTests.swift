import Dissection
import NetworkTypes
import TestSupport
import Testing

@Suite struct DNSAnswersTests {
    private static let question = DNSMessage.name("www.Example.COM")
    private static let a: UInt16 = 1
    private static let aaaa: UInt16 = 28
    private static let cname: UInt16 = 5

    @Test func addressesOfBothFamilies() throws {
        let message = DNSMessage(
            question: Self.question,
            records: [
                DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [192, 0, 2, 7]),
                DNSMessage.record(
                    DNSMessage.pointerToQuestion, type: Self.aaaa, [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [9],
                    timeToLive: 1 << 31),
            ])
        let answers = try #require(DNSAnswers(message.bytes[...]))
        #expect(
            answers.addresses == [
                .init(address: .v4(0xC000_0207), name: "www.example.com", timeToLive: 300),
                .init(address: .v6(high: 0x2001_0DB8_0000_0000, low: 9), name: "www.example.com", timeToLive: 0),
            ])
        #expect(!answers.isPartial)
    }

    /// www → cdn → edge, and the address is the edge's; another record's owner has nothing to do with the question.
    @Test func aliasesLeadToTheQuestion() throws {
        let message = DNSMessage(
            question: Self.question,
            records: [
                DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.cname, DNSMessage.name("cdn.example.net")),
                DNSMessage.record(DNSMessage.name("cdn.example.net"), type: Self.cname, DNSMessage.name("edge.example.org")),
                DNSMessage.record(DNSMessage.name("edge.example.org"), type: Self.a, [192, 0, 2, 1]),
                DNSMessage.record(DNSMessage.name("other.example"), type: Self.a, [192, 0, 2, 2]),
            ])
        let answers = try #require(DNSAnswers(message.bytes[...]))
        #expect(answers.addresses.map(\.name) == ["www.example.com", "other.example"])
        #expect(answers.addresses.map(\.canonicalName) == ["edge.example.org", nil])
    }

    @Test func aliasesInACircleEnd() throws {
        let message = DNSMessage(
            question: DNSMessage.name("a"),
            records: [
                DNSMessage.record(DNSMessage.name("a"), type: Self.cname, DNSMessage.name("b")),
                DNSMessage.record(DNSMessage.name("b"), type: Self.cname, DNSMessage.name("a")),
                DNSMessage.record(DNSMessage.name("b"), type: Self.a, [192, 0, 2, 1]),
            ])
        let answers = try #require(DNSAnswers(message.bytes[...]))
        #expect(answers.addresses.map(\.name) == ["a"])
    }

    /// Pointers to themselves, to each other, forward; a label of a reserved kind; a name that is too long.
    @Test func namesThatCannotBe() {
        let tooLong: [UInt8] = (0..<5).flatMap { _ in [63] + [UInt8](repeating: 0x61, count: 63) } + [0]
        let names: [[UInt8]] = [
            [0xC0, 12], [0xC0, 14, 0xC0, 12], [0xC0, 40], [0x40, 1, 0], [0x80, 1, 0], [1, 0x61, 0xC0, 12], tooLong,
        ]
        for name in names {
            #expect(DNSAnswers(DNSMessage(question: name).bytes[...]) == nil, "\(name)")
        }
        // In a record, the others before it stay.
        let message = DNSMessage(
            question: Self.question,
            records: [DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [192, 0, 2, 7]), [0xC0, 0xFF, 0, 1]])
        let answers = DNSAnswers(message.bytes[...])
        #expect(answers?.addresses.count == 1 && answers?.isPartial == true)
    }

    @Test func unprintableBytesAreEscaped() throws {
        let message = DNSMessage(
            question: [4, 0x1B, 0x5B, 0x2E, 0xFF, 1, 0x41, 0],
            records: [DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [192, 0, 2, 7])])
        #expect(DNSAnswers(message.bytes[...])?.addresses.first?.name == "\\027\\091\\046\\255.a")
    }

    @Test func onlyAnswersWithoutErrorCount() {
        let record = DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [192, 0, 2, 7])
        for flags in [0x0100, 0x8183, 0xA180] as [UInt16] {
            #expect(DNSAnswers(DNSMessage(flags: flags, question: Self.question, records: [record]).bytes[...]) == nil, "\(flags)")
        }
        // Multicast DNS: no question, and the bit that voids older records.
        let multicast = DNSMessage(
            flags: 0x8400, records: [DNSMessage.record(DNSMessage.name("printer.local"), type: Self.a, [192, 0, 2, 7], kind: 0x8001)])
        #expect(DNSAnswers(multicast.bytes[...])?.addresses.first?.name == "printer.local")
        // Of another class.
        let chaos = DNSMessage(
            question: Self.question, records: [DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [1, 2, 3, 4], kind: 3)])
        #expect(DNSAnswers(chaos.bytes[...])?.addresses.isEmpty == true)
    }

    @Test func recordsAreBounded() throws {
        let record = DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [192, 0, 2, 7])
        let many = DNSMessage(question: Self.question, records: .init(repeating: record, count: 200))
        let answers = try #require(DNSAnswers(many.bytes[...]))
        #expect(answers.addresses.count == DNSAnswers.mostRecords && answers.isPartial)
        let boasting = DNSMessage(question: Self.question, records: [record], announcedAnswers: .max)
        #expect(DNSAnswers(boasting.bytes[...])?.addresses.count == 1)
    }

    /// What is cut off gives a beginning of what the whole gives, and every name can be shown.
    @Test func anythingCanBeSent() throws {
        let message = DNSMessage(
            question: Self.question,
            records: [
                DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.cname, DNSMessage.name("cdn.example.net")),
                DNSMessage.record([0xC0, 33], type: Self.aaaa, [UInt8](repeating: 1, count: 16)),
                DNSMessage.record(DNSMessage.pointerToQuestion, type: Self.a, [192, 0, 2, 7]),
            ]
        ).bytes
        var understood = 0
        HostileBytes.feed(message) { bytes in
            guard let answers = DNSAnswers(bytes) else { return }
            understood += answers.addresses.count
            #expect(answers.addresses.count <= DNSAnswers.mostRecords)
            for address in answers.addresses {
                #expect(address.name.utf8.count <= 253 && address.name.utf8.allSatisfy { (0x21...0x7E).contains($0) })
            }
        }
        #expect(understood > 1000, "\(understood): the changes leave nothing to read")
        let whole = try #require(DNSAnswers(message[...])).addresses
        for end in message.indices {
            let part = DNSAnswers(message[..<end])?.addresses ?? []
            #expect(part.map(\.address) == whole.prefix(part.count).map(\.address))
        }
    }
}
