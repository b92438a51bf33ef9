import CLibBPF
import Datapath
import Flows
import Foundation
import Glibc
import NetworkTypes
import TestSupport
import Testing

/// Others take away what is ours: it is noticed, put back, and what was missed is told.
@Suite(.requires(.root)) struct RepairTests {
    @Test(arguments: AttachMode.both) func programsThatWereTakenOffComeBackUnderTheSameIdentity(mode: AttachMode) async throws {
        let pair = try await Pair()
        let files = try PrivateBPFFS()
        let probe = try Probe(mode, pins: files.pins)
        let id = try await probe.attach("va", in: pair.a)
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: 9)
        #expect(try await probe.isAttached(id, in: pair.a))
        if mode == .clsact {
            try await pair.a.sh("tc qdisc del dev va clsact")
        } else {
            // The pins go, and with the descriptors kept the links stay: only a detach takes them off.
            for direction in Direction.allCases {
                try detachPinnedLink(at: "\(files.pins.root)/\(PinDirectory.version)/links/\(id.rawValue)-\(direction)")
            }
        }
        #expect(try await !probe.isAttached(id, in: pair.a))
        try await pair.a.sendUDP(7, size: 10, to: Pair.addressB, port: 9)
        try await probe.reattach(id, in: pair.a)
        #expect(try await probe.isAttached(id, in: pair.a))
        try await pair.a.sendUDP(11, size: 10, to: Pair.addressB, port: 9)
        let books = try await probe.books(id, .egress)
        #expect(books.seen.skbs == 16)
        // The device has counted all of them since the baseline, which stays: the difference is what was missed.
        let base = try #require(await probe.interface(id)).base[1].packets
        #expect(try await pair.a.counters(of: "va").sent.packets - base == 23)
        try await probe.detach(id, in: pair.a)
    }

    @Test func pinsThatWereRemovedAreMadeAgain() async throws {
        let pair = try await Pair()
        let files = try PrivateBPFFS()
        let first = try Probe(.auto, pins: files.pins)
        let id = try await first.attach("va", in: pair.a)
        #expect(try await !first.restorePins())
        try sh("rm -r \(files.pins.root)/\(PinDirectory.version)")
        #expect(try await first.restorePins())
        #expect(try await !first.restorePins())
        try await pair.a.sendUDP(3, size: 10, to: Pair.addressB, port: 9)
        await first.abandon()
        // They are good for what they are for: the next agent goes on.
        let second = try Probe(.auto, pins: files.pins)
        #expect(await second.tookOver)
        #expect(try await second.attach("va", in: pair.a) == id)
        #expect(try await second.books(id, .egress).seen.skbs == 3)
        try await second.detach(id, in: pair.a)
    }

    @Test func oneAgentAtATimeOwnsThePins() async throws {
        let files = try PrivateBPFFS()
        let first = try Probe(.auto, pins: files.pins)
        let refused = #expect(throws: BPFError.self) { _ = try Probe(.auto, pins: files.pins) }
        #expect(refused?.code == EBUSY)
        await first.abandon()
        _ = try Probe(.auto, pins: files.pins)
    }

    private func detachPinnedLink(at path: String) throws {
        let fd = bpf_obj_get(path)
        guard fd >= 0 else { throw SystemError("open \(path)") }
        defer { close(fd) }
        guard bpf_link_detach(fd) == 0 else { throw SystemError("detach \(path)") }
    }
}
