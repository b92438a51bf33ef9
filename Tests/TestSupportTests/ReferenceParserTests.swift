import CDatapath
import TestSupport
import Testing

@Suite struct ReferenceParserTests {
    let parser = ReferenceParser()

    /// Shapes whose bytes say otherwise than their layers: looked at one by one below.
    static let wellFormed = FrameCatalogue.all.filter { shape in
        let lies = ["with version", "of four words", "header past the end", "options past the end", "announced as", "no inner frame"]
        return !lies.contains { shape.name.contains($0) }
    }

    @Test(arguments: wellFormed) func parsesWhatWasBuilt(_ shape: NamedFrame) {
        agree(shape.frame)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func parsesRandomFrames(seed: UInt64) {
        for (n, frame) in RandomFrames(seed: seed).prefix(2000).enumerated() {
            if !agree(frame, "seed \(seed), frame \(n)") { return }
        }
    }

    @discardableResult
    private func agree(_ frame: Frame, _ comment: Comment? = nil) -> Bool {
        let expected = StructuralKey(frame)
        let parsed = parser.parse(frame.bytes)
        let same =
            parsed.outer == expected.outer && parsed.tunnel?.inner == expected.inner && parsed.tunnel?.vni == expected.vni
            && parsed.vlan == expected.tags.first.map { $0.identifier | 0x1000 } ?? 0
            && parsed.innerVLAN == expected.tags.dropFirst().first.map { $0.identifier | 0x1000 } ?? 0
            && parsed.length == frame.bytes.count
        #expect(same, "\(comment?.rawValue ?? "")\n\(frame)\nbuilt \(expected)\nparsed \(parsed)")
        // A fragment has its transport header in raw bytes, of which the layers do not know how long it is.
        let isFragment = frame.layers.contains { ($0 as? IPv4Header)?.announcedProtocol != nil || ($0 as? FragmentHeader)?.next != nil }
        if same, !isFragment, parsed.shortfall == nil {
            #expect(parsed.headerLength == expected.headerLength, "\(comment?.rawValue ?? "")\n\(frame)")
            return parsed.headerLength == expected.headerLength
        }
        return same
    }

    @Test(arguments: FrameCatalogue.all) func anyPrefixIsRead(_ shape: NamedFrame) {
        let bytes = shape.frame.bytes
        let whole = parser.parse(bytes)
        for length in 0...bytes.count {
            let parsed = parser.parse(Array(bytes.prefix(length)))
            #expect(parsed.length == length)
            #expect(parsed.headerLength <= length)
            #expect((parsed.tcp?.payloadLength ?? 0) <= length)
            // A prefix knows less, never otherwise: where its headers are whole they say the same. (A tag that is cut off leaves its own ethertype.)
            if parsed.shortfall == nil, parsed.outer.etherType == whole.outer.etherType { #expect(parsed.outer == whole.outer) }
            if length >= 14, whole.vlan == 0 { #expect(parsed.outer.etherType == whole.outer.etherType) }
            if parsed.outer.form.rawValue == NILO_FORM_TRUNCATED.rawValue {
                #expect(parsed.outer.sourcePort == 0 && parsed.outer.destinationPort == 0)
            }
            if parsed.shortfall == .network, parsed.tunnel == nil {
                #expect(parsed.outer.source.allSatisfy { $0 == 0 } && parsed.outer.protocolNumber == 0)
            }
        }
    }

    @Test func damagedFramesAreRead() {
        var frames = RandomFrames(seed: 5)
        for _ in 0..<5000 {
            let bytes = frames.damaged(oneIn: 2)
            #expect(parser.parse(bytes).length == bytes.count)
        }
    }

    @Test func randomFramesFollowFromTheirSeed() {
        var a = RandomFrames(seed: 11)
        var b = RandomFrames(seed: 11)
        for _ in 0..<200 { #expect(a.damaged() == b.damaged()) }
        var kinds = Set<String>()
        for _ in 0..<3000 { for layer in a.frame().layers { kinds.insert("\(type(of: layer))") } }
        #expect(kinds.count == 18, "kinds of layers drawn: \(kinds.sorted())")
        // Steele, Lea and Flood's generator from 0, as their reference code prints it.
        var generator = SplitMix64(seed: 0)
        #expect(generator.next() == 0xe220_a839_7b1d_cdaf)
        #expect(generator.next() == 0x6e78_9e6a_a1b9_65f4)
    }
}
