import Dissection
import NetworkTypes
import Testing
import Topology

@testable import Agent

@Suite struct NeighbourBookTests {
    private static let uplink = InterfaceID(rawValue: 1)

    private static func announcement(_ system: String?, _ port: LLDPNeighbour.Identifier, seconds: UInt16 = 120) -> LLDPNeighbour {
        LLDPNeighbour(
            chassis: .mac(MACAddress(rawValue: 9)), port: port, timeToLive: seconds, portDescription: "uplink", systemName: system)
    }

    private static func learn(_ book: inout NeighbourBook, _ announcement: LLDPNeighbour, _ now: ContinuousClock.Instant) {
        let isTaken = book.learn(announcement, on: uplink, now: now)
        #expect(isTaken)
    }

    private static func expire(_ book: inout NeighbourBook, _ now: ContinuousClock.Instant, keeping there: Set<InterfaceID>)
        -> [InterfaceID]
    {
        book.expire(now: now, keeping: there)
    }

    @Test func anAnnouncementHoldsAsLongAsItSays() {
        var book = NeighbourBook()
        let now = ContinuousClock.now
        Self.learn(&book, Self.announcement("core", .interface("ge1")), now)
        Self.learn(&book, Self.announcement(nil, .mac(MACAddress(rawValue: 5)), seconds: 600), now)
        let known = book.known(on: Self.uplink)
        #expect(known.contains(LinkNeighbour(system: "core", port: "ge1")) && known.count == 2)
        // Named by what there is: the chassis, the port's description.
        #expect(known.contains { $0.system == "\(MACAddress(rawValue: 9))" && $0.port == "uplink" && $0.mac == MACAddress(rawValue: 5) })
        let early = Self.expire(&book, now + .seconds(119), keeping: [Self.uplink])
        let late = Self.expire(&book, now + .seconds(121), keeping: [Self.uplink])
        #expect(early.isEmpty && late == [Self.uplink])
        #expect(book.known(on: Self.uplink).map(\.port) == ["uplink"])
        // It says that it goes; the interface goes.
        Self.learn(&book, Self.announcement("core", .interface("ge1")), now)
        Self.learn(&book, Self.announcement("core", .interface("ge1"), seconds: 0), now)
        #expect(book.known(on: Self.uplink).count == 1)
        let gone = Self.expire(&book, now, keeping: [])
        #expect(gone == [Self.uplink])
        #expect(book.known(on: Self.uplink).isEmpty)
    }

    @Test func anInterfaceHasSoManyNeighbours() {
        var book = NeighbourBook()
        let now = ContinuousClock.now
        let taken = (0..<100).count { book.learn(Self.announcement("s\($0)", .interface("p")), on: Self.uplink, now: now) }
        #expect(taken == NeighbourBook.most && book.known(on: Self.uplink).count == NeighbourBook.most)
        Self.learn(&book, Self.announcement("s0", .interface("p")), now)
    }
}
