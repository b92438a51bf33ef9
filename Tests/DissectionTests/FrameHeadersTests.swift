import Dissection
import Flows
import NetworkTypes
import TestSupport
import Testing

@Suite struct FrameHeadersTests {
    private static let tcp = Frame(
        EthernetHeader(), IPv4Header(from: "192.0.2.1", to: "192.0.2.2"), TCPHeader(from: 1234, to: 80, [.syn]), RawBytes([1, 2, 3]))
    private static let udp6 = Frame(
        EthernetHeader(), IPv6Header(from: "2001:db8::1", to: "2001:db8::2"), UDPHeader(from: 53, to: 1234), RawBytes([9, 9]))

    @Test func plainFrames() throws {
        let tcp = try #require(FrameHeaders(Self.tcp.bytes[...]))
        #expect(tcp.etherType == .ipv4 && tcp.networkOffset == 14 && tcp.networkBytes == 43 && tcp.tcpFlags == 2 && tcp.vni == nil)
        #expect(tcp.transportOffset == 34 && tcp.payloadOffset == 54)
        #expect(tcp.tuple?.sourcePort == 1234 && tcp.tuple?.destination == .v4(0xC000_0202) && tcp.tuple?.protocol == .tcp)
        let udp = try #require(FrameHeaders(Self.udp6.bytes[...]))
        #expect(udp.networkBytes == 50 && udp.payloadOffset == 62 && udp.tuple?.source == IPAddress("2001:db8::1"))
        // The same from the network header on.
        let inside = try #require(FrameHeaders(Self.tcp.bytes.dropFirst(14), layer: .network))
        #expect(inside.tuple == tcp.tuple && inside.networkOffset == 0)
    }

    @Test func tagsAndTunnels() throws {
        let tagged = Frame(
            EthernetHeader(), VLANTag.service(5), VLANTag(6), IPv4Header(from: "192.0.2.1", to: "192.0.2.2"), UDPHeader(from: 1, to: 2))
        #expect(FrameHeaders(tagged.bytes[...])?.networkOffset == 22)
        for frame in [Self.tcp, Self.udp6, tagged] {
            for source in ["172.31.0.1", "2001:db8:1::1"] {
                let inner = try #require(FrameHeaders(frame.bytes[...]))
                let tunnelled = frame.inVXLAN(vni: 77, from: source, to: source).bytes
                let headers = try #require(FrameHeaders(tunnelled[...]))
                #expect(headers.tuple == inner.tuple && headers.vni == 77)
                #expect(headers.networkOffset - inner.networkOffset == tunnelled.count - frame.bytes.count)
            }
        }
        // Without the flag that says so, it is no VXLAN.
        let plain = Frame(
            EthernetHeader(), IPv4Header(from: "192.0.2.1", to: "192.0.2.2"), UDPHeader(from: 1, to: 4789), VXLANHeader(vni: 1, flags: 0))
        #expect(FrameHeaders(plain.bytes[...])?.tuple?.destinationPort == 4789)
    }

    @Test func fragmentsHaveNoConversation() throws {
        let frame = Frame(
            EthernetHeader(), IPv4Header(from: "192.0.2.1", to: "192.0.2.2"), UDPHeader(from: 1, to: 2), RawBytes(count: 100))
        let parts = frame.fragments(of: 48, identification: 1)
        #expect(FrameHeaders(parts[0].bytes[...])?.tuple?.destinationPort == 2)
        #expect(FrameHeaders(parts[1].bytes[...])?.tuple == nil)
    }

    @Test func otherKinds() {
        #expect(FrameHeaders(Frame(EthernetHeader(type: 0x88CC), RawBytes([2, 0])).bytes[...])?.etherType == FrameHeaders.lldp)
        #expect(FrameHeaders(Frame(EthernetHeader(type: 100), RawBytes([2, 0])).bytes[...])?.etherType == .llc)
        #expect(FrameHeaders([0x30, 0, 0], layer: .network) == nil)
        #expect(FrameHeaders([]) == nil)
    }

    @Test func anythingCanBeSent() {
        for frame in [Self.tcp, Self.udp6, Self.tcp.inVXLAN(vni: 5), Self.udp6.inVXLAN(vni: 6, from: "2001:db8::5", to: "2001:db8::6")] {
            HostileBytes.feed(frame.bytes) { bytes in
                for layer in [FrameHeaders.Layer.ethernet, .network] {
                    guard let headers = FrameHeaders(bytes, layer: layer) else { continue }
                    #expect(headers.networkOffset <= bytes.count)
                    #expect((headers.payloadOffset ?? 0) <= bytes.count && (headers.transportOffset ?? 0) <= bytes.count)
                    if let tuple = headers.tuple { #expect(Conversation(tuple) != nil) }
                }
            }
        }
    }
}
