import CNetlink
import TestSupport
import Testing

@testable import Netlink

/// What the parsers do with bytes that no kernel sends: stop, and never read beyond.
@Suite struct NetlinkMessageTests {
    private static func attribute(_ type: UInt16, _ value: [UInt8], length: UInt16? = nil) -> [UInt8] {
        let length = length ?? UInt16(4 + value.count)
        let bytes = [UInt8(length & 0xFF), UInt8(length >> 8), UInt8(type & 0xFF), UInt8(type >> 8)] + value
        return bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    private static func types(_ bytes: [UInt8]) -> [Int] {
        bytes.withUnsafeBytes { NetlinkAttributes($0).map(\.type) }
    }

    @Test func attributesEndAtTheFirstBadLength() {
        let good = Self.attribute(3, [1, 2, 3]) + Self.attribute(4 | 0x8000, [9])
        #expect(Self.types(good) == [3, 4])
        #expect(Self.types(good + [1]) == [3, 4])
        #expect(Self.types(Self.attribute(1, [], length: 3)) == [])
        #expect(Self.types(Self.attribute(1, [], length: 0) + good) == [])
        #expect(Self.types(good + Self.attribute(1, [1, 2], length: 200)) == [3, 4])
        #expect(Self.types([]) == [])
    }

    @Test func refusalsAreReadWithAndWithoutTheRequest() {
        let words = Self.attribute(1, Array("no such qdisc\0".utf8))
        let code: [UInt8] = [UInt8(bitPattern: -22), 0xFF, 0xFF, 0xFF]
        func outcome(_ type: Int32, _ flags: Int32, _ payload: [UInt8]) -> (Int32, String) {
            var header = nlmsghdr()
            header.nlmsg_type = UInt16(type)
            header.nlmsg_flags = UInt16(flags)
            return payload.withUnsafeBytes { NetlinkMessage(header: header, payload: $0).outcome }
        }
        let request = [20, 0, 0, 0] + [UInt8](repeating: 0, count: 12)
        let (error, done) = (NLMSG_ERROR, NLMSG_DONE)
        #expect(outcome(error, NLM_F_ACK_TLVS | NLM_F_CAPPED, code + request + words) == (22, "no such qdisc"))
        #expect(outcome(error, NLM_F_ACK_TLVS, code + request + [7, 7, 7, 7] + words) == (22, "no such qdisc"))
        #expect(outcome(done, NLM_F_ACK_TLVS, code + words) == (22, "no such qdisc"))
        #expect(outcome(done, 0, code) == (22, ""))
        #expect(outcome(error, NLM_F_ACK_TLVS, code) == (22, ""))
        #expect(outcome(error, NLM_F_ACK_TLVS, []) == (0, ""))
    }

    /// Every cut and many random changes of real messages: the sanitizer and Swift's bounds checks are the judges.
    @Test func cutAndChangedMessagesAreHarmless() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh(
            """
            ip link add va type veth peer name vb; ip addr add 10.0.0.1/24 dev va; ip link set vb up; ip link set va up
            ip route add default via 10.0.0.2
            """
        )
        let payloads = try await namespace.withSocket { socket in
            try socket.dump(RTM_GETLINK, ifinfomsg(), "dump links") { Array($0.payload) }
                + socket.dump(RTM_GETQDISC, tcmsg(), "dump qdiscs") { Array($0.payload) }
                + socket.dump(RTM_GETROUTE, rtmsg(), "dump routes") { Array($0.payload) }
        }
        #expect(payloads.count > 4)
        func parse(_ bytes: [UInt8]) {
            bytes.withUnsafeBytes {
                _ = LinkObservation($0)
                _ = QdiscObservation($0)
                _ = FilterObservation($0)
                _ = DefaultRoute.Line($0)
                for _ in NetlinkMessage.Datagram($0) {}
            }
        }
        var random = SplitMix64(seed: 7)
        for payload in payloads {
            for length in 0...payload.count { parse(Array(payload[..<length])) }
            for _ in 0..<200 {
                var changed = payload
                for _ in 0..<8 { changed[Int.random(in: 0..<changed.count, using: &random)] = .random(in: 0...255, using: &random) }
                parse(changed)
            }
        }
    }
}
