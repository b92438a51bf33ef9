import CDatapath
import Datapath
import TestSupport
import Testing

/// TCP's sequence state follows from the payload that a packet really carries.
@Suite(.requires(.root)) struct SequenceTests {
    /// Each with the TCP header's own flow, so that the state comes from one packet.
    static let frames: [NamedFrame] = {
        func frame(_ name: String, _ ip: any PacketLayer, _ tcp: TCPHeader, _ payload: Int, padding: Int = 0) -> NamedFrame {
            var frame = Frame(EthernetHeader(), ip, tcp, RawBytes(count: payload))
            if padding > 0 {
                frame = Frame(EthernetHeader(), RawBytes(frame.bytes(from: 1) + [UInt8](repeating: 0, count: padding), etherType: 0x0800))
            }
            return NamedFrame(name: name, frame: frame)
        }
        return [
            frame("data", IPv4Header(), TCPHeader([.ack, .psh]), 100),
            frame("options", IPv4Header(), TCPHeader { $0.options = TCPHeader.timestamps() }, 100),
            frame("over IPv6", IPv6Header(), TCPHeader(), 77),
            frame("SYN", IPv4Header(), TCPHeader(.syn) { $0.options = TCPHeader.openingOptions }, 0),
            frame("FIN with data", IPv4Header(), TCPHeader([.fin, .ack]), 5),
            frame("sequence numbers wrap", IPv4Header(), TCPHeader { $0.sequence = 0xffff_fff0 }, 32),
            frame("padding is no payload", IPv4Header(), TCPHeader(), 1, padding: 5),
            frame("length past the end", IPv4Header { $0.totalLength = 9000 }, TCPHeader(), 9),
            frame("length past the end over IPv6", IPv6Header { $0.payloadLength = 9000 }, TCPHeader(), 9),
        ]
    }()

    @Test(arguments: frames) func nextSequenceNumber(_ shape: NamedFrame) throws {
        let counted = try FlowsUnderTest()
        try counted.program.setPort(nilo_port(ifindex: 1, if_id: 9, ledger: 1, flags: 0))
        _ = try ProgramTestRun(counted.program.ingress, shape.frame.bytes)
        let parsed = ReferenceParser().parse(shape.frame.bytes)
        let tcp = try #require(parsed.tcp)
        let marks = tcp.flags.isDisjoint(with: [.syn, .fin]) ? 0 : 1
        let slot = try #require(try counted.slots().first)
        #expect(slot.next_seq == tcp.sequence &+ UInt32(tcp.payloadLength + marks))
    }
}
