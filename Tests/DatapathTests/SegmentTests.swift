import Datapath
import Flows
import TestSupport
import Testing

/// A super-packet, told by the layers up to the payload that is cut.
struct SuperPacket: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var headers: Frame
    var payload: Int
    var size: Int

    init(_ name: String, payload: Int, size: Int, _ headers: Frame) {
        testDescription = name
        self.headers = headers
        self.payload = payload
        self.size = size
    }

    static let all: [SuperPacket] = {
        let tcp = TCPHeader([.ack, .psh]) { $0.options = TCPHeader.timestamps() }
        let tenant = Frame(EthernetHeader(), IPv4Header(), tcp)
        return [
            SuperPacket("TCP", payload: 950, size: 100, Frame(EthernetHeader(), IPv4Header(), tcp)),
            SuperPacket("TCP in whole segments", payload: 1000, size: 100, Frame(EthernetHeader(), IPv4Header(), tcp)),
            SuperPacket("TCP, one byte over", payload: 1001, size: 100, Frame(EthernetHeader(), IPv4Header(), tcp)),
            SuperPacket(
                "TCP with IPv4 options", payload: 950, size: 100, Frame(EthernetHeader(), IPv4Header { $0.options = [1, 1, 1, 0] }, tcp)),
            SuperPacket("TCP over IPv6", payload: 333, size: 10, Frame(EthernetHeader(), IPv6Header(), tcp)),
            SuperPacket(
                "TCP after an extension header", payload: 950, size: 100,
                Frame(EthernetHeader(), IPv6Header(), IPv6Extension.destination, tcp)),
            SuperPacket("UDP", payload: 950, size: 100, Frame(EthernetHeader(), IPv4Header(), UDPHeader())),
            SuperPacket("VLAN", payload: 950, size: 100, Frame(EthernetHeader(), VLANTag(5), IPv4Header(), tcp)),
            SuperPacket(
                "QinQ", payload: 950, size: 100, Frame(EthernetHeader(), VLANTag.service(5), VLANTag(6), IPv4Header(), UDPHeader())),
            SuperPacket("VXLAN", payload: 950, size: 100, tenant.inVXLAN()),
            SuperPacket(
                "VXLAN, tagged, over IPv6", payload: 950, size: 100, tenant.inVXLAN(from: "fd31::1", to: "fd31::2", tag: VLANTag(9))),
            SuperPacket(
                "VXLAN with UDP over IPv6", payload: 950, size: 100,
                Frame(EthernetHeader(), VLANTag(1), IPv6Header(), UDPHeader()).inVXLAN()),
        ]
    }()
}

/// A super-packet counts as the segments that are or were on the wire, each with all the headers.
@Suite(.requires(.root)) struct SegmentTests {
    /// Counts one frame as a super-packet and returns its flow.
    private func count(_ frame: Frame, segments: Int, size: Int) async throws -> (flow: FlowRecord, books: Books) {
        try await ProgramBench.shared.value.perform { bench in
            try bench.begin()
            try bench.send(frame, .egress, context: PacketContext { ($0.segments, $0.segmentSize) = (UInt32(segments), UInt32(size)) })
            try bench.collect()
            return (try #require(bench.flows().first), bench.books(.egress))
        }
    }

    /// With the segments counted by the sender, and without (a guest's packets).
    @Test(arguments: SuperPacket.all, [true, false]) func segmentsHaveTheHeadersEach(packet: SuperPacket, counted: Bool) async throws {
        let headers = packet.headers.bytes.count
        let segments = (packet.payload + packet.size - 1) / packet.size
        let last = packet.payload - (segments - 1) * packet.size
        let frame = packet.headers.with(RawBytes(count: packet.payload))
        let (flow, books) = try await count(frame, segments: counted ? segments : 0, size: packet.size)
        let expected = Totals(
            skbs: 1, skbBytes: UInt64(headers + packet.payload), wirePackets: UInt64(segments),
            wireBytes: UInt64(segments * headers + packet.payload))
        #expect(flow.totals == expected)
        #expect(flow.traits.smallest == UInt32(headers + last))
        #expect(flow.traits.largest == UInt32(headers + packet.size))
        #expect(books.seen == expected)
        #expect(!flow.traits.notes.contains(.wireApproximate) && books[.wireApproximate] == 0)
        let reference = ReferenceParser().parse(frame.bytes)
        #expect(reference.wireBytes(segments: segments) == Int(expected.wireBytes))
    }

    @Test func aSinglePacketIsItself() async throws {
        let frame = Frame(EthernetHeader(), IPv4Header(), TCPHeader(), RawBytes(count: 50))
        let (flow, _) = try await count(frame, segments: 1, size: 100)
        #expect(flow.totals == Totals(skbs: 1, skbBytes: 104, wirePackets: 1, wireBytes: 104))
        #expect(flow.traits.smallest == 104 && flow.traits.largest == 104)
    }

    @Test func whatIsNotParsedIsALowerBoundAndSaysSo() async throws {
        let frame = Frame(EthernetHeader(), IPv4Header(), ESPHeader(), RawBytes(count: 1000))
        let (flow, books) = try await count(frame, segments: 10, size: 100)
        let bytes = UInt64(frame.bytes.count)
        #expect(flow.totals == Totals(skbs: 1, skbBytes: bytes, wirePackets: 10, wireBytes: bytes))
        #expect(flow.traits.notes.contains(.wireApproximate) && books[.wireApproximate] == 1)
    }

    @Test func congestionMarksAreCountedPerSegment() async throws {
        let frame = Frame(EthernetHeader(), IPv4Header { $0.ecn = 3 }, TCPHeader(), RawBytes(count: 1000))
        #expect(try await count(frame, segments: 10, size: 100).flow.transport.congestionMarks == 10)
    }
}
