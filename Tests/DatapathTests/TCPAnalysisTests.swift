import Datapath
import Flows
import TestSupport
import Testing

/// What the programs say of a TCP flow from the segments that pass. Every test is a conversation on one CPU.
@Suite(.requires(.root)) struct TCPAnalysisTests {
    private static let client: UInt16 = 40000
    private static let server: UInt16 = 80

    /// A segment of the client, or an answer of the server.
    private struct Segment: Sendable {
        var sequence: UInt32
        var length = 0
        var flags: TCPHeader.Flags = .ack
        var window: UInt16 = 1000
        var answers = false
        /// More than one: a super-packet.
        var segments = 1

        func send(to bench: isolated ProgramBench) throws {
            var header = TCPHeader(from: answers ? server : client, to: answers ? client : server, flags)
            header.sequence = sequence
            header.window = window
            let ends = answers ? (Pair.addressB, Pair.addressA) : (Pair.addressA, Pair.addressB)
            let frame = Frame(EthernetHeader(), IPv4Header(from: ends.0, to: ends.1), header, RawBytes(count: length))
            let context = PacketContext { ($0.segments, $0.segmentSize) = (UInt32(segments), UInt32(length / segments)) }
            try bench.send(frame, answers ? .egress : .ingress, context: segments > 1 ? context : nil)
        }
    }

    /// - Parameter own: a bench that goes on with the conversation.
    private func converse(_ segments: [Segment], on own: ProgramBench? = nil) async throws -> (asking: FlowRecord, answering: FlowRecord?) {
        let bench = if let own { own } else { try await ProgramBench.shared.value }
        return try await bench.perform { bench in
            if own == nil { try bench.begin() }
            for segment in segments { try segment.send(to: bench) }
            try bench.collect()
            let flows = bench.flows().filter { $0.key.outer.protocol == .tcp }
            let asking = try #require(flows.first { $0.key.outer.sourcePort == Self.client })
            return (asking, flows.first { $0.key.outer.sourcePort == Self.server })
        }
    }

    /// Retransmitted and out of order, of the client's flow.
    private func counts(_ segments: [Segment]) async throws -> [UInt64] {
        let flow = try await converse(segments).asking
        return [flow.transport.retransmitted, flow.transport.outOfOrder]
    }

    @Test func inOrderIsNothing() async throws {
        let flow = try await converse([
            Segment(sequence: 99, flags: .syn), Segment(sequence: 100), Segment(sequence: 100, length: 50),
            Segment(sequence: 150, length: 1),
            Segment(sequence: 151), Segment(sequence: 151, length: 9, flags: [.ack, .fin]), Segment(sequence: 161),
        ]).asking
        #expect(flow.transport == TransportCounts())
        #expect(flow.traits.notes == .sequenceKnown)
        #expect(flow.traits.tcpFlags == [.syn, .ack, .fin])
    }

    @Test func bytesThatHadPassedAreRetransmitted() async throws {
        let start = [Segment(sequence: 99, flags: .syn), Segment(sequence: 100, length: 100), Segment(sequence: 200, length: 100)]
        #expect(try await counts(start + [Segment(sequence: 200, length: 100)]) == [1, 0])
        #expect(try await counts(start + [Segment(sequence: 100, length: 200)]) == [1, 0])
        // Old and new bytes in one segment; what follows is in order.
        #expect(try await counts(start + [Segment(sequence: 250, length: 100), Segment(sequence: 350, length: 10)]) == [1, 0])
        #expect(try await counts(start + [Segment(sequence: 100, length: 1)]) == [1, 0])
    }

    @Test func retransmittedSuperPacketsCountTheirSegments() async throws {
        let big = Segment(sequence: 100, length: 1000, segments: 10)
        #expect(try await counts([Segment(sequence: 99, flags: .syn), big, big]) == [10, 0])
        // Only the part that had passed before counts.
        let half = Segment(sequence: 100, length: 500, segments: 5)
        #expect(try await counts([Segment(sequence: 99, flags: .syn), half, big]) == [5, 0])
    }

    @Test func openingsAndEndingsAreRetransmittedToo() async throws {
        let syn = Segment(sequence: 99, flags: .syn)
        #expect(try await counts([syn, syn, Segment(sequence: 100, length: 10)]) == [1, 0])
        let fin = Segment(sequence: 100, flags: [.fin, .ack])
        #expect(try await counts([syn, fin, fin]) == [1, 0])
    }

    @Test func whatFillsAGapIsOutOfOrder() async throws {
        func part(_ n: UInt32) -> Segment { Segment(sequence: 100 + 100 * n, length: 100) }
        let syn = Segment(sequence: 99, flags: .syn)
        #expect(try await counts([syn, part(0), part(2), part(1), part(3)]) == [0, 1])
        // From the front and from the back; then there is no gap left to fill.
        #expect(try await counts([syn, part(0), part(4), part(1), part(3), part(2), part(5)]) == [0, 3])
        #expect(try await counts([syn, part(0), part(2), part(1), part(1)]) == [1, 1])
        // Before the gap: seen already.
        #expect(try await counts([syn, part(0), part(2), part(0)]) == [1, 0])
    }

    @Test func keepAlivesAreNotRetransmissions() async throws {
        let start = [Segment(sequence: 99, flags: .syn), Segment(sequence: 100, length: 100)]
        #expect(try await counts(start + [Segment(sequence: 199, length: 1), Segment(sequence: 199)]) == [0, 0])
        #expect(try await counts(start + [Segment(sequence: 199, length: 1), Segment(sequence: 200, length: 10)]) == [0, 0])
    }

    @Test func closedWindowsAreCounted() async throws {
        let flow = try await converse([
            Segment(sequence: 99, flags: .syn, window: 0), Segment(sequence: 100, window: 0), Segment(sequence: 100, window: 0),
            Segment(sequence: 100), Segment(sequence: 100, flags: [.rst, .ack], window: 0),
        ]).asking
        #expect(flow.transport.zeroWindows == 2)
    }

    @Test func sequenceNumbersWrap() async throws {
        let start = UInt32.max - 149
        let before = [Segment(sequence: start &- 1, flags: .syn), Segment(sequence: start, length: 100)]
        #expect(
            try await counts(before + [Segment(sequence: start &+ 100, length: 100), Segment(sequence: start &+ 200, length: 100)]) == [
                0, 0,
            ])
        #expect(
            try await counts(before + [Segment(sequence: start &+ 100, length: 100), Segment(sequence: start, length: 100)]) == [1, 0])
        #expect(
            try await counts(before + [Segment(sequence: start &+ 200, length: 100), Segment(sequence: start &+ 100, length: 100)]) == [
                0, 1,
            ])
    }

    @Test(arguments: [5, 1000, 3_000_000_000] as [UInt32]) func aNewConnectionOnTheSamePortsStartsAgain(sequence: UInt32) async throws {
        #expect(
            try await counts([
                Segment(sequence: 99, flags: .syn), Segment(sequence: 100, length: 100), Segment(sequence: 300, length: 100),
                Segment(sequence: sequence, flags: .syn), Segment(sequence: sequence + 1, length: 100),
                Segment(sequence: sequence + 101, length: 100),
            ]) == [0, 0])
    }

    @Test func joiningMidwayIsNoted() async throws {
        let flow = try await converse([Segment(sequence: 5000, length: 100), Segment(sequence: 5000, length: 100)]).asking
        #expect(flow.traits.notes == [.sequenceKnown, .sequenceLost])
        #expect(flow.transport.retransmitted == 1)
    }

    @Test func sequencesSurviveEviction() async throws {
        // Sixteen slots: what comes in between pushes the flow out.
        let bench = try ProgramBench(geometry: TableGeometry(flows: 16, logRecordsPerCPU: 256, ledgers: 8, ghosts: 4096))
        _ = try await converse([Segment(sequence: 99, flags: .syn), Segment(sequence: 100, length: 100)], on: bench)
        let evicted = try await bench.perform { bench in
            for port in 1...400 as ClosedRange<UInt16> {
                try bench.send(Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: port)))
                if port % 100 == 0 { try bench.collect() }
            }
            return bench.books(.ingress)[.spilled] + bench.books(.ingress)[.droppedClean]
        }
        #expect(evicted >= 385)
        let flow = try await converse([Segment(sequence: 100, length: 100), Segment(sequence: 200, length: 100)], on: bench).asking
        #expect(flow.transport.retransmitted == 1 && flow.transport.outOfOrder == 0)
        #expect(flow.totals.skbs == 4)
        #expect(flow.traits.notes.contains(.sequenceRestored))
    }

    // MARK: Handshakes

    private let syn = Segment(sequence: 99, flags: .syn)
    private let synAck = Segment(sequence: 499, flags: [.syn, .ack], answers: true)
    private let ack = Segment(sequence: 100)

    @Test func handshakesAreTimed() async throws {
        let bench = try ProgramBench()
        _ = try await converse([syn], on: bench)
        try await Task.sleep(for: .milliseconds(20))
        _ = try await converse([synAck], on: bench)
        try await Task.sleep(for: .milliseconds(5))
        let (asking, answering) = try await converse([ack, Segment(sequence: 100, length: 10)], on: bench)
        // Lower bounds only: the machine may be busy.
        #expect(try #require(answering).traits.handshakeMicroseconds >= 20_000)
        #expect(asking.traits.handshakeMicroseconds >= 5_000)
        #expect(!asking.traits.notes.contains(.handshakeAmbiguous) && answering?.traits.notes.contains(.handshakeAmbiguous) == false)
    }

    @Test func aRepeatedSYNGivesNoTime() async throws {
        let answering = try #require(try await converse([syn, syn, synAck, ack]).answering)
        #expect(answering.traits.handshakeMicroseconds == 0 && answering.traits.notes.contains(.handshakeAmbiguous))
    }

    @Test func aRepeatedAnswerGivesTheAskerNoTime() async throws {
        let (asking, answering) = try await converse([syn, synAck, synAck, ack])
        #expect(asking.traits.handshakeMicroseconds == 0)
        #expect(answering?.traits.notes.contains(.handshakeAmbiguous) == true)
        #expect(answering?.transport.retransmitted == 1)
    }

    @Test func theNextHandshakeOnTheSamePortsIsTimedAgain() async throws {
        let second = Segment(sequence: 9999, flags: .syn)
        let answering = try #require(try await converse([syn, synAck, ack, second, synAck, Segment(sequence: 10_000)]).answering)
        #expect(!answering.traits.notes.contains(.handshakeAmbiguous) && answering.traits.handshakeMicroseconds > 0)
    }
}
