import Glibc
import NetworkTypes
import struct TestSupport.SplitMix64
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        ("0.0.0.0", IPAddress.v4(0)), ("10.0.0.1", .v4(0x0A00_0001)), ("255.255.255.255", .v4(.max)), ("::", .v6(high: 0, low: 0)),
        ("::1", .v6(high: 0, low: 1)), ("2001:db8::1", .v6(high: 0x2001_0DB8_0000_0000, low: 1)),
        ("2001:db8:0:1:1:1:1:1", .v6(high: 0x2001_0DB8_0000_0001, low: 0x0001_0001_0001_0001)),
        ("2001:0:0:1::1", .v6(high: 0x2001_0000_0000_0001, low: 1)),
        ("2001:db8::1:0:0:1", .v6(high: 0x2001_0DB8_0000_0000, low: 0x0001_0000_0000_0001)),
        ("::ffff:192.0.2.1", .v6(high: 0, low: 0xFFFF_C000_0201)), ("fe80::", .v6(high: 0xFE80_0000_0000_0000, low: 0)),
        ("1:2:3:4:5:6:7:0", .v6(high: 0x0001_0002_0003_0004, low: 0x0005_0006_0007_0000)),
    ]) func canonical(text: String, address: IPAddress) {
        #expect(address.description == text)
        #expect(IPAddress(text) == address)
    }

    @Test(arguments: [
        ("2001:DB8::A", "2001:db8::a"), ("0:0:0:0:0:0:0:0", "::"), ("2001:0db8:0000::0001", "2001:db8::1"), ("::10.0.0.1", "::a00:1"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
    ]) func otherSpellings(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", ".", ":", ":::", "1", "10.0.0", "10.0.0.1.2", "10.0.0.256", "10.0.0.01", "10.0.0.1 ", " 10.0.0.1", "10..0.1", "+1.0.0.1",
        "0x0a.0.0.1",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", ":1::", "::1:", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "fe80::1%eth0",
        "::10.0.0.1:1", "1:2:3:4:5:6:7:10.0.0.1", "g::", "::-1", "1.2.3.4::", "１0.0.0.1", "[::1]", "10.0.0.1/8",
    ]) func refused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    /// Against the C library: every random address, and every text made by breaking one, is read as inet_pton(3) reads it.
    @Test func agreesWithTheCLibrary() {
        var random = SplitMix64(seed: 1)
        let alphabet = Array("0123456789abcdefF:.:::%/ g")
        func library(_ text: String) -> IPAddress? {
            var v4 = in_addr()
            if inet_pton(AF_INET, text, &v4) == 1 { return .v4(v4.s_addr.byteSwapped) }
            var v6 = in6_addr()
            guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
            return withUnsafeBytes(of: &v6) { b in
                let (h, l) = (b.loadUnaligned(as: UInt64.self), b.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                return .v6(high: h.byteSwapped, low: l.byteSwapped)
            }
        }
        for _ in 0..<20_000 {
            let masks: [UInt64] = [0, .max, 0xFFFF, 0xFFFF_0000, 0xFFFF_0000_0000_FFFF, 0xFF]
            let address: IPAddress =
                Bool.random(using: &random)
                ? .v4(UInt32.random(in: 0 ... .max, using: &random))
                : .v6(high: random.next() & masks.randomElement(using: &random)!, low: random.next() & masks.randomElement(using: &random)!)
            var text = address.description
            #expect(IPAddress(text) == address)
            #expect(library(text) == address)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = text.index(text.startIndex, offsetBy: Int.random(in: 0..<text.count, using: &random))
                switch UInt8.random(in: 0..<3, using: &random) {
                case 0: text.remove(at: at)
                case 1: text.insert(alphabet.randomElement(using: &random)!, at: at)
                default: text.replaceSubrange(at...at, with: [alphabet.randomElement(using: &random)!])
                }
                if text.isEmpty { break }
            }
            #expect(IPAddress(text) == library(text), "\(text)")
        }
    }

    @Test func order() {
        let sorted = ["9.0.0.1", "10.0.0.1", "::1", "1::", "2001:db8::1"].map { IPAddress($0)! }
        #expect(sorted.shuffled().sorted() == sorted)
    }

    @Test(arguments: ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/32", "2001:db8:0:0:8000::/65", "::1/128"])
    func prefixRoundTrip(text: String) throws {
        #expect(try IPPrefix(parsing: text).description == text)
    }

    @Test func prefixErrors() {
        #expect(throws: IPPrefix.ParseError.hostBits(IPPrefix("10.0.0.0/8")!)) { try IPPrefix(parsing: "10.0.0.1/8") }
        for text in [
            "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "::/129", "::/1e", "10.0.0.0/999999",
        ] {
            #expect(throws: IPPrefix.ParseError.badLength, "\(text)") { try IPPrefix(parsing: text) }
        }
        for text in ["", "/", "x/8", "10.0.0/8"] {
            #expect(throws: IPPrefix.ParseError.notAnAddress) { try IPPrefix(parsing: text) }
        }
    }

    /// Membership bit by bit, as the definition has it.
    @Test func membership() {
        var random = SplitMix64(seed: 2)
        func bits(_ a: IPAddress) -> [Bool] {
            func each(_ word: UInt64, _ count: Int) -> [Bool] {
                (0..<count).map { (bit: Int) -> Bool in word >> UInt64(count - 1 - bit) & 1 == 1 }
            }
            return switch a {
            case .v4(let v): each(UInt64(v), 32)
            case .v6(let h, let l): each(h, 64) + each(l, 64)
            }
        }
        for _ in 0..<5000 {
            let base = IPAddress.v6(high: random.next(), low: random.next())
            let flip = Int.random(in: 0..<128, using: &random)
            let other: IPAddress =
                if case .v6(let h, let l) = base {
                    flip < 64 ? .v6(high: h ^ 1 << UInt64(63 - flip), low: l) : .v6(high: h, low: l ^ 1 << UInt64(127 - flip))
                } else { base }
            let length = Int.random(in: 0...128, using: &random)
            let prefix = IPPrefix(base, length: length)!
            #expect(prefix.contains(base))
            #expect(prefix.contains(other) == (bits(base).prefix(length) == bits(other).prefix(length)))
            #expect(bits(prefix.address).dropFirst(length).allSatisfy { !$0 })
            #expect(!prefix.contains(.v4(0)))
            let v4 = IPAddress.v4(UInt32.random(in: 0 ... .max, using: &random))
            let near = IPAddress.v4(UInt32.random(in: 0 ... .max, using: &random))
            let short = IPPrefix(v4, length: length % 33)!
            #expect(short.contains(near) == (bits(v4).prefix(length % 33) == bits(near).prefix(length % 33)))
        }
        #expect(IPPrefix("10.0.0.0/8")!.contains(IPPrefix("10.1.0.0/16")!))
        #expect(!IPPrefix("10.1.0.0/16")!.contains(IPPrefix("10.0.0.0/8")!))
        #expect(IPPrefix(.v4(0), length: 33) == nil)
        #expect(IPPrefix(.v4(0), length: -1) == nil)
    }

    @Test func macAddress() {
        #expect(MACAddress(rawValue: 0x5254_0012_3456).description == "52:54:00:12:34:56")
        #expect(MACAddress("52-54-00-AB-cd-ef")?.description == "52:54:00:ab:cd:ef")
        #expect(MACAddress("ff:ff:ff:ff:ff:ff") == .broadcast)
        #expect(MACAddress.broadcast.isGroup)
        #expect(MACAddress("02:00:00:00:00:01")!.isLocal)
        for text in [
            "", "52:54:00:12:34", "52:54:00:12:34:5", "52:54-00:12:34:56", "52:54:00:12:34:5g", "525400123456", "5254:00:12:34:56:7",
        ] {
            #expect(MACAddress(text) == nil, "\(text)")
        }
    }
}
