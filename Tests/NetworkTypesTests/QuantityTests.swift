import NetworkTypes
import struct TestSupport.SplitMix64
import Testing

@Suite struct QuantityTests {
    @Test(
        arguments: [
            (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (1049, "1.0 kB"), (1050, "1.1 kB"), (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"), (999_500, "1.0 MB"), (3_400_000, "3.4 MB"), (1_200_000_000, "1.2 GB"), (UInt64.max, "18.4 EB"),
        ] as [(UInt64, String)]) func bytes(count: UInt64, text: String)
    {
        #expect(ByteCount(count).description == text)
    }

    @Test func rates() {
        #expect(BitRate(bitsPerSecond: 1.2e9).description == "1.2 Gb/s")
        #expect(BitRate(bytes: 125_000, over: .seconds(1)).description == "1.0 Mb/s")
        #expect(BitRate(bytes: 125_000, over: .milliseconds(500)).bitsPerSecond == 2e6)
        #expect(BitRate(bytes: 1, over: .zero).bitsPerSecond == 0)
        #expect(PacketRate(packets: 14_880_952, over: .seconds(1)).description == "14.9 Mpps")
        #expect(PacketRate(packetsPerSecond: 0.4).description == "0 pps")
        #expect(Count(1_234_567).description == "1.2 M")
        #expect(Count(12).description == "12")
        #expect(BitRate(bitsPerSecond: .nan).description == "0 b/s")
        #expect(BitRate(bitsPerSecond: .infinity).description == "∞ b/s")
    }

    @Test func columns() {
        #expect(
            [0, 12, 999, 1200, 27_000_000].map { ByteCount($0).text.aligned } == ["    0 B", "   12 B", "  999 B", " 1.2 kB", "27.0 MB"])
        #expect([0, 999, 1200].map { Count($0).text.aligned } == ["     0", "   999", " 1.2 k"])
    }

    /// Aligned texts of one unit are of one width, and the plain text is the aligned one without its padding.
    @Test func alignment() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<10_000 {
            let value = random.next() >> UInt64.random(in: 0..<64, using: &random)
            let text = ByteCount(value).text
            #expect(text.aligned.count == 7)
            #expect(text.aligned.drop { $0 == " " } == text.description)
            // Never off by more than the last digit shown.
            let scale = [("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18)].first {
                $0.0 == text.prefix
            }!.1
            #expect(abs(Double(text.number)! * scale - Double(value)) <= scale * (text.number.contains(".") ? 0.051 : 0.51))
        }
    }

    @Test(arguments: [
        (Duration.zero, "0 s"), (.nanoseconds(1_500), "1.5 µs"), (.microseconds(350), "350 µs"), (.microseconds(1_200), "1.2 ms"),
        (.milliseconds(250), "250 ms"), (.milliseconds(999), "999 ms"), (.milliseconds(1000), "1 s"), (.seconds(59), "59 s"),
        (.seconds(60), "1m 00s"),
        (.seconds(3599), "59m 59s"), (.seconds(7500), "2h 05m"), (.seconds(90_000), "1d 01h"), (.milliseconds(-250), "-250 ms"),
    ]) func durations(duration: Duration, text: String) {
        #expect(duration.short == text)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"), (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000Z"), (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] as [(Int64, String)]) func moments(seconds: Int64, text: String)
    {
        #expect(Timestamp(nanoseconds: seconds * 1_000_000_000).description == text)
    }

    @Test func momentsKeepMilliseconds() {
        #expect(Timestamp(nanoseconds: 1_250_999_999).description == "1970-01-01T00:00:01.250Z")
        #expect(Timestamp(nanoseconds: -1).description == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(nanoseconds: .min).description == "1677-09-21T00:12:43.145Z")
        #expect(Timestamp(nanoseconds: .max).description == "2262-04-11T23:47:16.854Z")
    }
}

@Suite struct NameTests {
    @Test func everyProtocolReadsBack() {
        for number in UInt8.min ... .max { #expect(IPProtocol(IPProtocol(rawValue: number).description)?.rawValue == number) }
        #expect(IPProtocol("ICMPv6") == .icmpv6)
        #expect(IPProtocol("256") == nil)
        #expect(IPProtocol("nonsense") == nil)
    }
    @Test func everyEtherTypeReadsBack() {
        for number in UInt16.min ... .max { #expect(EtherType(EtherType(rawValue: number).description)?.rawValue == number) }
        #expect(EtherType("0x88CC")?.name == "lldp")
        #expect(EtherType("35020")?.name == "lldp")
        #expect(EtherType("0x") == nil)
        #expect(EtherType("0x12345") == nil)
    }
    @Test func everyServiceAndCodepointReadsBack() {
        for port in UInt16.min ... .max {
            if let name = ServiceName.of(port: port) { #expect(ServiceName.port(named: name) == port) }
        }
        #expect(ServiceName.port(named: "HTTPS") == 443)
        for codepoint in UInt8(0)..<64 {
            if let name = DSCPName.of(codepoint) { #expect(DSCPName.codepoint(named: name) == codepoint) }
        }
        #expect(DSCPName.of(46) == "ef")
        #expect(DSCPName.codepoint(named: "af41") == 34)
    }
    @Test(
        arguments: [
            ("prot", "port"), ("hots", "host"), ("hsot", "host"), ("intreface", "interface"), ("xyz", nil), ("", nil),
            ("interface", "interface"),
        ] as [(String, String?)]) func suggestions(word: String, meant: String?)
    {
        #expect(Suggestion.nearest(to: word, among: ["port", "host", "interface", "net"]) == meant)
    }
}
