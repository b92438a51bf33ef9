import Dissection
import Flows
import NetworkTypes
import Testing
import Topology

@testable import Agent
@testable import Applications

@Suite struct ApplicationBookTests {
    private static let client = IPAddress("192.0.2.10")!
    private static let server = IPAddress("192.0.2.80")!

    private static func tuple(_ port: UInt16, answers: Bool = false) -> FlowTuple {
        FlowTuple(
            source: answers ? server : client, destination: answers ? client : server, sourcePort: answers ? 443 : port,
            destinationPort: answers ? port : 443, protocol: .tcp, form: .ports, etherType: .ipv4)
    }

    private static func key(_ port: UInt16, answers: Bool = false) -> FlowKey {
        FlowKey(outer: tuple(port, answers: answers), interface: InterfaceID(rawValue: 3), direction: answers ? .ingress : .egress)
    }

    private static func verdict(
        _ port: UInt16, network: UInt32 = 1, _ application: String? = "Google", name: ApplicationVerdict.ServerName? = nil
    ) throws -> ApplicationVerdict {
        ApplicationVerdict(
            conversation: try #require(Conversation(tuple(port), network: network)), isFromLowerEnd: true,
            master: application == nil ? nil : "TLS", application: application, category: nil,
            confidence: application == nil ? .unknown : .inspection, isEncrypted: application == nil ? nil : true, isFinal: true,
            packets: 5,
            name: name)
    }

    @Test func bothDirectionsAreTold() throws {
        var book = ApplicationBook()
        let isOne = book.ask(Self.key(1000), network: 1)
        #expect(isOne && book.application(of: Self.key(1000), network: 1) == nil)
        let told = book.accept(try Self.verdict(1000, name: .init(kind: .tls, text: "www.example.org")))
        #expect(told == .init(key: Self.key(1000), application: "tls.google", server: "www.example.org"))
        for answers in [false, true] {
            let found = try #require(book.application(of: Self.key(1000, answers: answers), network: 1))
            #expect(found.name == "tls.google" && found.serverName == "www.example.org" && found.isEncrypted == true && !found.isUnknown)
        }
        #expect(book.application(of: Self.key(1000), network: 2) == nil && book.application(of: Self.key(1001), network: 1) == nil)
    }

    /// Whoever reads strangers' packets may have been taken over by one.
    @Test func whatNobodyAskedForIsNotTaken() throws {
        var book = ApplicationBook()
        _ = book.ask(Self.key(1000), network: 1)
        let taken = [book.accept(try Self.verdict(1001)), book.accept(try Self.verdict(1000, network: 2))]
        #expect(taken == [nil, nil])
        #expect(book.strangers == 2 && book.application(of: Self.key(1000), network: 1) == nil)
    }

    @Test func namesOfServersAreThoseThatTheirClientsSay() throws {
        var book = ApplicationBook()
        _ = book.ask(Self.key(1000), network: 1)
        let asked = book.accept(try Self.verdict(1000, "DNS", name: .init(kind: .dns, text: "db.example.net")))
        #expect(asked?.server == "" && book.application(of: Self.key(1000), network: 1)?.otherName == "db.example.net")
        let literal = book.accept(try Self.verdict(1000, "HTTP", name: .init(kind: .http, text: "192.0.2.80")))
        #expect(literal?.server == "" && book.application(of: Self.key(1000), network: 1)?.serverName == "192.0.2.80")
    }

    @Test func whatIsNoConversationIsNotAskedAbout() {
        var book = ApplicationBook()
        let arp = FlowTuple(
            source: nil, destination: nil, sourcePort: 0, destinationPort: 0, protocol: IPProtocol(rawValue: 0), form: .none,
            etherType: .arp)
        let isOne = book.ask(FlowKey(outer: arp, interface: InterfaceID(rawValue: 1), direction: .ingress), network: 1)
        #expect(!isOne)
    }

    /// New flows that come to nothing push out their like; the same five-tuple may become another conversation.
    @Test func aFloodLeavesWhatIsKnown() throws {
        var book = ApplicationBook(asked: 100, told: 100)
        for port: UInt16 in 1...100 {
            _ = book.ask(Self.key(port), network: 1)
            _ = book.accept(try Self.verdict(port))
        }
        for port: UInt16 in 1000...3000 {
            _ = book.ask(Self.key(port), network: 1)
            if port.isMultiple(of: 2) { _ = book.accept(try Self.verdict(port, nil)) }
        }
        #expect((1...100).allSatisfy { book.application(of: Self.key($0), network: 1)?.name == "tls.google" })
        #expect(
            book.application(of: Self.key(3000), network: 1)?.name == "unknown" && book.application(of: Self.key(1000), network: 1) == nil)
        _ = book.accept(try Self.verdict(7, nil))
        #expect(book.application(of: Self.key(7), network: 1)?.name == "unknown" && book.strangers == 0)
    }
}
