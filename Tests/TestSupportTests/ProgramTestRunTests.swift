import CLibBPF
import Glibc
import TestSupport
import Testing

@Suite(.requires(.root)) struct ProgramTestRunTests {
    let frame = FrameCatalogue.named("TCP data").bytes

    @Test func programsSeeThePacket() throws {
        let length = try TinyProgram.returning(fieldAt: MemoryLayout<__sk_buff>.offset(of: \.len)!)
        for name in ["TCP data", "TCP over IPv6", "VLAN", "ARP request", "LLC"] {
            let bytes = FrameCatalogue.named(name).bytes
            let least = ProgramTestRun.leastLength(of: bytes)
            for size in least...bytes.count {
                let packet = Array(bytes.prefix(size))
                let run = try ProgramTestRun(length.descriptor, packet)
                #expect(run.result == Int32(size) && run.packet == packet, "\(name) cut to \(size)")
            }
            #expect(throws: SystemError.self, "\(name)") { try ProgramTestRun(length.descriptor, Array(bytes.prefix(13))) }
        }
        #expect(try ProgramTestRun(length.descriptor, frame, repetitions: 10_000).nanoseconds < 100_000)
    }

    @Test func programsSeeTheContext() throws {
        let context = PacketContext {
            $0.mark = 7
            $0.segments = 3
            $0.segmentSize = 40
        }
        for (offset, value) in [(\__sk_buff.mark, 7), (\__sk_buff.gso_segs, 3), (\__sk_buff.gso_size, 40)]
            as [(KeyPath<__sk_buff, UInt32>, Int32)]
        {
            let program = try TinyProgram.returning(fieldAt: MemoryLayout<__sk_buff>.offset(of: offset)!)
            #expect(try ProgramTestRun(program.descriptor, frame, context: context).result == value)
            #expect(try ProgramTestRun(program.descriptor, frame).result == 0)
        }
        let short = PacketContext { $0.wireLength = 10 }
        #expect(throws: SystemError.self) { try ProgramTestRun(TinyProgram.passing().descriptor, frame, context: short) }
    }

    @Test func interfacesAreThoseOfTheThread() async throws {
        let pair = try await Pair()
        let program = try TinyProgram.returning(fieldAt: MemoryLayout<__sk_buff>.offset(of: \.ifindex)!)
        let index = try await pair.a.index(of: "va")
        let result = try await pair.a.run { [frame] in
            try ProgramTestRun(program.descriptor, frame, context: PacketContext { $0.interface = index }).result
        }
        #expect(result == Int32(index))
    }

    @Test(.requires(.tcx)) func attachedProgramsDropUntilTheLinkIsDetached() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let index = try await pair.b.index(of: "vb")
        let link = try await pair.b.run { try TinyProgram.dropping().attachTCX(index, ingress: true) }
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 1, within: .milliseconds(200)) == 0)
        // Not just closed: a process that another test starts may hold a copy of the descriptor for a moment.
        #expect(bpf_link_detach(link) == 0)
        close(link)
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 5) == 5)
    }
}
