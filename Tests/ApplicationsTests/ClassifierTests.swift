import Applications
import Dissection
import NetworkTypes
import TestSupport
import Testing

@Suite struct ClassifierTests {
    private static func verdict(_ talk: Talk, snap: Int = 65535, _ limits: ClassifierLimits = ClassifierLimits()) throws
        -> ApplicationVerdict
    {
        let classifier = try Classifier(limits)
        classifier.feed(talk, snap: snap)
        let verdicts = classifier.verdicts()
        try #require(verdicts.count == 1)
        return verdicts[0]
    }

    @Test(arguments: [256, 65535]) func knownProtocols(snap: Int) throws {
        let http = try Self.verdict(.http(), snap: snap)
        #expect(http.stack == "HTTP" && http.isEncrypted == false && http.confidence == .inspection && http.category == "Web")
        #expect(http.name == .init(kind: .http, text: "www.example.org"))
        let tls = try Self.verdict(.tls("mail.example.org"), snap: snap)
        #expect(tls.stack == "TLS" && tls.isEncrypted == true && tls.name == .init(kind: .tls, text: "mail.example.org"))
        let ssh = try Self.verdict(.ssh(), snap: snap)
        #expect(ssh.stack == "SSH" && ssh.isEncrypted == true && ssh.confidence == .inspection)
        let database = try Self.verdict(.postgreSQL(), snap: snap)
        #expect(database.stack == "PostgreSQL" && database.category == "Database" && database.isEncrypted == false)
        let dns = try Self.verdict(.dns(), snap: snap)
        #expect(dns.stack == "DNS" && dns.name == .init(kind: .dns, text: "db.example.net"))
    }

    /// Ports say nothing: these are told by what is said.
    @Test func unusualPorts() throws {
        #expect(try Self.verdict(.http(port: 8765)).stack == "HTTP")
        #expect(try Self.verdict(.ssh(port: 2222)).stack == "SSH")
        #expect(try Self.verdict(.postgreSQL(port: 6000)).stack == "PostgreSQL")
    }

    @Test func whoseServerItIs() throws {
        let verdict = try Self.verdict(.tls("www.google.com"))
        #expect(verdict.master == "TLS" && verdict.application == "Google" && verdict.stack == "TLS.Google")
        // The name is there, the rest of the message is not.
        let cut = try Self.verdict(.tls("www.google.com"), snap: 190)
        #expect(cut.stack == "TLS.Google" && cut.name?.text == "www.google.com")
        // Behind what was captured.
        let hidden = try Self.verdict(.tls("www.google.com", padding: 400), snap: 256)
        #expect(hidden.stack == "TLS" && hidden.isEncrypted == true && hidden.name == nil)
    }

    @Test func whatIsUnknownSaysSo() throws {
        let noise = try Self.verdict(.noise())
        #expect(noise.application == nil && noise.stack == "Unknown" && noise.isEncrypted == nil && noise.confidence == .unknown)
        // By its port alone: a guess, and marked as one.
        let silent = try Self.verdict(Talk(tcp: 22))
        #expect(silent.stack == "SSH" && silent.confidence == .port && silent.confidence.isGuess)
    }

    @Test func namesOfAddresses() throws {
        let classifier = try Classifier()
        classifier.feed(.dns())
        let names = classifier.takeFindings().compactMap { if case .name(let address, _) = $0 { address } else { nil } }
        #expect(names == [.init(address: .v4(0xC000_0263), name: "db.example.net", timeToLive: 300)])
    }

    @Test func neighboursOnTheLink() throws {
        let classifier = try Classifier()
        let unit = lldpElement(1, [7, 0x31]) + lldpElement(2, [5, 0x32]) + lldpElement(3, [0, 120]) + lldpElement(5, Array("sw1".utf8))
        classifier.feed(Frame(EthernetHeader(type: 0x88CC), RawBytes(unit)).bytes[...], .at(1, interface: 7))
        let expected = LLDPNeighbour(chassis: .text("1"), port: .interface("2"), timeToLive: 120, systemName: "sw1")
        #expect(classifier.takeFindings() == [.neighbour(expected, interface: 7)])
    }

    /// As the sampler gives it on the underlay; and the outer one is no conversation of its own.
    @Test func insideVXLAN() throws {
        let classifier = try Classifier()
        for (i, frame) in Talk.http().frames.enumerated() {
            let outer = Frame(
                EthernetHeader(), IPv4Header(from: "172.31.0.1", to: "172.31.0.2"), UDPHeader(from: 5000, to: VXLANHeader.port),
                VXLANHeader(vni: 42), RawBytes(frame.bytes))
            classifier.feed(outer.bytes[...], .at(UInt64(i)))
        }
        let verdicts = classifier.verdicts()
        #expect(verdicts.map(\.stack) == ["HTTP"] && verdicts.first?.conversation.vni == 42)
        #expect(verdicts.first?.isFromLowerEnd == true)
    }

    /// Sampled on two interfaces, each packet comes twice.
    @Test func oneInterfaceIsListenedTo() throws {
        let classifier = try Classifier()
        for (i, frame) in Talk.http().frames.enumerated() {
            for interface in [3, 4] as [UInt32] { classifier.feed(frame.bytes[...], .at(UInt64(i), interface: interface)) }
        }
        #expect(classifier.verdicts().count == 1 && classifier.counters.conversations == 1)
        let counters = classifier.counters
        #expect(counters.inspected <= 5 && counters.elsewhere >= 3)
        #expect(counters.inspected + counters.elsewhere + counters.afterVerdict == 10)
    }

    @Test func theTableIsBounded() throws {
        var limits = ClassifierLimits()
        limits.pending = 10
        limits.decided = 20
        let classifier = try Classifier(limits)
        for port in 1000..<1100 as Range<UInt16> { classifier.feed(Talk(tcp: 47123, clientPort: port), from: UInt64(port)) }
        #expect(classifier.pendingCount == 10 && classifier.counters.evicted == 90 && classifier.counters.conversations == 100)
        // What was given up early has its verdict.
        #expect(classifier.verdicts().count == 100 && classifier.counters.forgotten == 80)
        #expect(classifier.counters.unknown + classifier.counters.guessed + classifier.counters.identified == 100)
    }

    @Test func onlyTheFirstPacketsAreLookedAt() throws {
        var limits = ClassifierLimits()
        limits.packets = 8
        let classifier = try Classifier(limits)
        classifier.feed(.noise(packets: 50))
        #expect(classifier.counters.inspected == 8 && classifier.counters.afterVerdict == 45)
        #expect(classifier.verdicts().map(\.packets) == [8])
    }

    @Test func silenceGivesTheVerdict() throws {
        let classifier = try Classifier()
        classifier.feed(.noise(packets: 1))
        classifier.sweep(now: 1_000_000_000)
        #expect(classifier.pendingCount == 1)
        classifier.sweep(now: 3_000_000_000)
        #expect(classifier.pendingCount == 0 && classifier.takeFindings().count == 1)
    }

    /// A second connection from the same port; and of UDP, one long after.
    @Test func portsAreUsedAgain() throws {
        let classifier = try Classifier()
        classifier.feed(.http(), from: 1)
        classifier.feed(Talk.http(host: "second.example.org"), from: 200)
        let names = classifier.verdicts().compactMap(\.name?.text)
        #expect(names == ["www.example.org", "second.example.org"])
        classifier.feed(.dns(), from: 1000)
        classifier.feed(.dns(), from: 2000)
        #expect(classifier.verdicts().count == 1)
        classifier.feed(.dns("later.example"), from: 100_000)
        #expect(classifier.verdicts().map(\.name?.text) == ["later.example"])
    }

    /// A verdict comes as soon as there is one, and is not said twice unless it changes or becomes final.
    @Test func verdictsComeEarly() throws {
        let classifier = try Classifier()
        var seen: [Bool] = []
        for (i, frame) in Talk.tls("mail.example.org").frames.enumerated() {
            classifier.feed(frame.bytes[...], .at(UInt64(i)))
            for case .application(let verdict) in classifier.takeFindings() { seen.append(verdict.isFinal) }
        }
        #expect(seen == [false])
        #expect(classifier.verdicts().count == 1)
    }

    /// Whatever it is fed, it goes on. Frames of all kinds, cut off and changed.
    @Test func anythingCanBeSent() throws {
        let classifier = try Classifier()
        var random = SplitMix64(seed: 11)
        let talks = [Talk.http(), .tls("www.google.com"), .ssh(), .postgreSQL(), .dns(), .noise()]
        let frames = talks.flatMap(\.frames).map(\.bytes)
        var time: UInt64 = 1
        for _ in 0..<20_000 {
            var frame = random.pick(frames)
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                frame[Int.random(in: 0..<frame.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            time += 1
            classifier.feed(frame.prefix(Int.random(in: 0...frame.count, using: &random)), .at(time))
            if time % 1000 == 0 { _ = classifier.takeFindings() }
        }
        _ = classifier.verdicts()
        let counters = classifier.counters
        #expect(counters.packets == 20_000 && counters.inspected > 1000)
        // Every packet is counted in one place.
        #expect(
            counters.packets == counters.inspected + counters.afterVerdict + counters.elsewhere + counters.withoutConversation
                + counters.unreadable + counters.noMemory)
        classifier.feed(.http(clientPort: 50000), from: 100_000_000)
        #expect(classifier.verdicts().map(\.stack) == ["HTTP"])
    }
}
