import NetworkTypes
import Testing
import Topology

@testable import Agent

/// What is remembered of translated flows.
@Suite struct TranslationBookTests {
    private let start = ContinuousClock.now

    private func address(_ number: Int) -> IPAddress { .v4(0x0A00_0000 + UInt32(number)) }

    /// From 10.0.0.1 to a destination that is another address, or another port of it.
    private func flow(to destination: Int, port: UInt16 = 80, actual: Int, _ actualPort: UInt16 = 8080, source: Int? = nil)
        -> TranslatedFlow
    {
        TranslatedFlow(
            transport: .tcp,
            original: .init(source: address(1), destination: address(destination), sourcePort: 4000, destinationPort: port),
            reply: .init(source: address(actual), destination: address(source ?? 1), sourcePort: actualPort, destinationPort: 5000),
            isSourceTranslated: source != nil, isDestinationTranslated: destination != actual || port != actualPort)
    }

    @Test func bothSides() {
        #expect(flow(to: 2, actual: 3).translations == [.init(transport: .tcp, address: address(2), port: 80, actual: address(3))])
        // Of a port that stays nothing is told.
        #expect(flow(to: 2, actual: 3, 80).translations == [.init(transport: .tcp, address: address(2), port: 0, actual: address(3))])
        #expect(
            flow(to: 2, actual: 2, 80, source: 9).translations == [.init(transport: .tcp, address: address(9), port: 0, actual: address(1))]
        )
        #expect(Set(flow(to: 2, actual: 3, source: 9).translations).count == 2)
        // To another port of the same address: no two endpoints.
        #expect(flow(to: 2, actual: 2).translations.isEmpty)
    }

    @Test func rememberedForAWhile() {
        var book = TranslationBook()
        #expect(book.update([], at: start) == nil)
        #expect(book.update([flow(to: 2, actual: 3), flow(to: 2, actual: 3)], at: start)?.count == 1)
        #expect(book.update([flow(to: 2, actual: 3)], at: start + .seconds(10)) == nil)
        #expect(book.update([flow(to: 4, actual: 3)], at: start + .seconds(20))?.count == 2)
        #expect(book.update([], at: start + .seconds(310)) == nil)
        #expect(book.update([], at: start + .seconds(311))?.map(\.address) == [address(4)])
        #expect(book.update([], at: start + .seconds(1000))?.isEmpty == true)
    }

    @Test func bounded() {
        var book = TranslationBook()
        let flows = (0..<TranslationBook.most + 5).map { flow(to: 10 + $0, actual: 3) }
        #expect(book.update(flows, at: start)?.count == TranslationBook.most)
        // Full: nothing new, until there is room.
        #expect(book.update([flow(to: 5, actual: 3)], at: start + .seconds(1)) == nil)
        #expect(book.update([flow(to: 5, actual: 3)], at: start + .seconds(301))?.isEmpty == true)
        #expect(book.update([flow(to: 5, actual: 3)], at: start + .seconds(302))?.count == 1)
    }
}
