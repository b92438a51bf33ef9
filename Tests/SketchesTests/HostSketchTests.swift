import NetworkTypes
import TestSupport
import Testing

@testable import Sketches

@Suite struct HostSketchTests {
    private static func packet(
        _ hash: KeyedHash, from source: UInt32, to destination: UInt32, port: UInt16, isOpening: Bool = true, opens: Bool = true
    ) -> HostSketch.Packet {
        let (a, b) = (IPAddress.v4(source).fieldWords, IPAddress.v4(destination).fieldWords)
        return .init(
            address: SIMD2(a.0, a.1), host: hash(a.0, a.1), peer: hash(b.0, b.1), port: hash(UInt64(port.byteSwapped)),
            isOpening: isOpening,
            opens: opens)
    }

    private static func hash(of address: UInt32, _ hash: KeyedHash) -> UInt64 {
        let words = IPAddress.v4(address).fieldWords
        return hash(words.0, words.1)
    }

    /// Zipf-like counts over 4,000 hosts in 512 cells, thirty keys.
    @Test func countsAreNeverTooLowAndSeldomMuchTooHigh() {
        var random = SplitMix64(seed: 5)
        var (asked, high) = (0, 0)
        for _ in 0..<30 {
            let hash = KeyedHash(seed: random.next())
            var sketch = HostSketch(width: 512)
            var truth: [UInt32: UInt64] = [:]
            for host in 0..<UInt32(4000) {
                let count = 1 + UInt64(2000 / (1 + host)) + random.next() % 4
                truth[host] = count
                for _ in 0..<count { sketch.add(Self.packet(hash, from: 0x0a00_0000 + host, to: 1, port: 80)) }
            }
            let total = truth.values.reduce(0, +)
            #expect(sketch.total == total)
            for (host, count) in truth {
                let estimate = sketch.openings(ofHash: Self.hash(of: 0x0a00_0000 + host, hash))
                #expect(estimate >= count)
                asked += 1
                if Double(estimate - count) > sketch.excess * Double(total) { high += 1 }
            }
        }
        #expect(Double(high) <= HostSketch.failure * Double(asked), "\(high) of \(asked)")
    }

    @Test(arguments: [1, 2] as [UInt64]) func mergingIsTheUnion(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let hash = KeyedHash(seed: random.next())
        var parts = [HostSketch](repeating: HostSketch(width: 64), count: 3)
        var whole = parts[0]
        for _ in 0..<5000 {
            let packet = Self.packet(
                hash, from: UInt32.random(in: 0..<300, using: &random), to: UInt32.random(in: 0..<50, using: &random),
                port: UInt16.random(in: 0..<100, using: &random), isOpening: random.once(in: 2), opens: !random.once(in: 3))
            parts[Int.random(in: 0..<3, using: &random)].add(packet)
            whole.add(packet)
        }
        var merged = parts[0]
        for part in parts.dropFirst() { merged.merge(part) }
        // Whose address stays of pairs with one rank depends on the order; all else does not.
        for (a, b) in zip(merged.cells, whole.cells) {
            #expect(a.openings == b.openings && a.peers == b.peers && a.ports == b.ports && a.rank == b.rank)
        }
    }

    /// A thousand ports of one host, among ten thousand sources with a packet each: in nine of ten keys its address is told, with its ports.
    @Test func aScannerIsNamedAmongMany() {
        var random = SplitMix64(seed: 9)
        var named = 0
        var within = 0
        for _ in 0..<100 {
            let hash = KeyedHash(seed: random.next())
            var sketch = HostSketch(width: 512)
            for host in 0..<UInt32(10_000) {
                sketch.add(Self.packet(hash, from: 0xc000_0000 + host, to: 0x0a00_0001, port: 80))
                if host % 10 == 0 { sketch.add(Self.packet(hash, from: 0x0a00_0063, to: 0x0a00_0001, port: UInt16(host / 10 + 1))) }
            }
            guard let scanner = sketch.hosts.first(where: { $0.address == .v4(0x0a00_0063) }) else { continue }
            named += 1
            if abs(scanner.ports - 1000) < 2 * HostSketch.relativeError * 1000 { within += 1 }
        }
        #expect(named >= 90, "\(named)")
        #expect(within >= named * 9 / 10, "\(within) of \(named)")
    }

    @Test func evennessIsBetweenOneValueAndAll() {
        var one = HashedHistogram(buckets: 64)
        one.add(17, count: 1000)
        #expect(one.evenness == 0)
        var random = SplitMix64(seed: 3)
        var many = HashedHistogram(buckets: 64)
        for _ in 0..<64_000 { many.add(random.next()) }
        #expect(many.evenness > 0.99 && many.evenness <= 1)
        // Four values of a quarter each are two bits of six, however they fall into buckets of their own.
        var four = HashedHistogram(buckets: 64)
        for value in 0..<4 { four.add(UInt64(value), count: 250) }
        #expect(abs(four.evenness - 2.0 / 6) < 1e-12)
        var halves = HashedHistogram(buckets: 64)
        for value in 0..<2 { halves.add(UInt64(value), count: 250) }
        var rest = HashedHistogram(buckets: 64)
        for value in 2..<4 { rest.add(UInt64(value), count: 250) }
        halves.merge(rest)
        #expect(halves == four)
    }
}
