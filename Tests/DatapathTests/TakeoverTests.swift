import Datapath
import Flows
import Glibc
import NetworkTypes
import TestSupport
import Testing

/// An agent dies without a word and the next one takes over: every packet is in the books, and told by one of the two.
@Suite(.requires(.root, .clsact)) struct TakeoverTests {
    @Test(arguments: AttachMode.both) func nothingIsLostAcrossATakeover(mode: AttachMode) async throws {
        let files = try PrivateBPFFS()
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let first = try Probe(mode, pins: files.pins)
        let id = try await first.attach("vb", in: pair.b)
        func send(_ count: Int) async throws {
            let before = receiver.datagrams
            try await pair.a.sendUDP(count, size: 10, to: Pair.addressB, port: receiver.port)
            #expect(try await receiver.settled(at: before + count) == before + count)
        }
        try await send(1000)
        #expect(try await first.account(id, .ingress).told.skbs == 1000)
        try await send(23)
        await first.abandon()
        try await send(500)

        let second = try Probe(mode, pins: files.pins)
        #expect(await second.tookOver)
        let sender = Task { try await pair.a.sendUDP(20_000, size: 10, to: Pair.addressB, port: receiver.port) }
        _ = try await eventually(within: .seconds(5)) { receiver.datagrams > 2000 }
        #expect(try await second.attach("vb", in: pair.b) == id, "the same interface to both")
        try await sender.value
        #expect(try await receiver.settled(at: 21_523) == 21_523)
        let account = try await second.account(id, .ingress)
        #expect(account.books.seen == Totals(plain: 21_523, bytes: 21_523 * 52))
        #expect(account.closes && account.isTold && account.told == account.books.seen, "\(account)")
        #expect(await second.unknownBooks(.ingress).seen.isZero)
        try await second.detach(id, in: pair.b)
        try await send(5)
        #expect(try await second.books(id, .ingress).seen.skbs == 21_523)
    }

    /// The next agent finds an interface gone, and another in its place that has the same index in a namespace of its own.
    @Test(arguments: AttachMode.both) func interfacesThatAreGoneAreClosed(mode: AttachMode) async throws {
        let files = try PrivateBPFFS()
        let first = try Probe(mode, pins: files.pins)
        var pair = try await Pair()
        let index = try await pair.b.index(of: "vb")
        let id = try await first.attach("vb", in: pair.b)
        let receiver = try await UDPReceiver(in: pair.b)
        try await pair.a.sendUDP(9, size: 10, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 9) == 9)
        await first.abandon()
        pair = try await Pair()
        #expect(try await pair.b.index(of: "vb") == index)
        let second = try Probe(mode, pins: files.pins)
        let other = try await second.attach("vb", in: pair.b)
        try await second.sweep()
        #expect(other != id)
        #expect(try await second.interfaceIsClosed(id) == true)
        #expect(try await second.interfaceIsClosed(other) == false)
        let account = try await second.account(id, .ingress)
        #expect(account.told.skbs == 9 && account.closes)
        #expect(try await second.books(other, .ingress).seen.isZero)
    }

    @Test func countersOfAnotherRecordVersionAreRefusedAndKept() async throws {
        let files = try PrivateBPFFS()
        #expect(mkdir(files.pins.root, 0o700) == 0 && mkdir("\(files.pins.root)/v0", 0o700) == 0)
        #expect { _ = try Probe(.auto, pins: files.pins) } throws: { error in
            "\(error)".contains("v0")
        }
        #expect(PinDirectory.entries(of: files.pins.root) == ["v0"])
    }
}
