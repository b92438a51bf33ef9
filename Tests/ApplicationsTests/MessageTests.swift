@testable import Applications
import Dissection
import Flows
import NetworkTypes
import TestSupport
import Testing

@Suite struct MessageTests {
    static let findings: [Finding] = [
        .application(verdict(master: "TLS", application: "Google", name: .init(kind: .tls, text: "www.google.com"))),
        .application(verdict(master: nil, application: nil, name: nil)),
        .application(verdict(vni: 0xFFFFFF, isIPv6: true, master: nil, application: "SSH", name: nil)),
        .name(.init(address: .v4(1), name: "a.example", canonicalName: "b.example", timeToLive: 9), network: 3),
        .name(.init(address: .v6(high: 1, low: 2), name: "\\027.example", timeToLive: .max), network: 0),
        .neighbour(
            LLDPNeighbour(
                chassis: .mac(MACAddress(rawValue: 5)), port: .address(.v4(7)), timeToLive: 120, systemName: "größe",
                managementAddress: .v6(high: 1, low: 1)), interface: 9),
        .neighbour(LLDPNeighbour(chassis: .text("x"), port: .interface("eth0"), timeToLive: 0, portDescription: "p"), interface: 1),
    ]

    private static func verdict(
        vni: UInt32? = nil, isIPv6: Bool = false, master: String?, application: String?, name: ApplicationVerdict.ServerName?
    ) -> ApplicationVerdict {
        let ends: (IPAddress, IPAddress) = isIPv6 ? (.v6(high: 1, low: 1), .v6(high: 2, low: 0)) : (.v4(1), .v4(2))
        let tuple = FlowTuple(
            source: ends.0, destination: ends.1, sourcePort: 443, destinationPort: 1, protocol: .tcp, form: .ports,
            etherType: isIPv6 ? .ipv6 : .ipv4)
        return ApplicationVerdict(
            conversation: Conversation(tuple, vni: vni, network: 5)!, isFromLowerEnd: true, master: master, application: application,
            category: master == nil ? nil : "Web", confidence: .inspection, isEncrypted: master == nil ? nil : true,
            isFinal: master == nil, packets: 8, name: name)
    }

    private static var answer: ClassifierAnswer {
        var answer = ClassifierAnswer()
        answer.sequence = 7
        answer.cpuTime = 1_000_000
        answer.pending = 3
        answer.counters.inspected = 12
        answer.findings = findings
        return answer
    }

    @Test func answersComeBackAsTheyWere() {
        let messages = Self.answer.messages()
        #expect(messages.count == 1 && ClassifierAnswer(messages[0][...]) == Self.answer)
        var long = Self.answer
        long.findings = Array(repeating: Self.findings, count: 300).flatMap { $0 }
        let parts = long.messages()
        #expect(parts.count > 1 && parts.allSatisfy { $0.count <= ClassifierAnswer.mostBytes })
        #expect(parts.flatMap { ClassifierAnswer($0[...])?.findings ?? [] } == long.findings)
    }

    /// What is understood of a changed message is something that a classifier could have said.
    @Test func changedAnswers() {
        let whole = Self.answer.messages()[0]
        for end in whole.indices { #expect(ClassifierAnswer(whole[..<end]) == nil) }
        #expect(ClassifierAnswer((whole + [0])[...]) == nil)
        var random = SplitMix64(seed: 5)
        var understood = 0
        for _ in 0..<30_000 {
            var changed = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let answer = ClassifierAnswer(changed[...]) else { continue }
            understood += 1
            for finding in answer.findings { Self.check(finding) }
        }
        #expect(understood > 1000 && understood < 29_000)
    }

    private static func check(_ finding: Finding) {
        func isPrintable(_ text: String?) -> Bool { text.map { PlainText.isPlain($0) } ?? true }
        switch finding {
        case .application(let verdict):
            #expect(isPrintable(verdict.master) && isPrintable(verdict.application) && isPrintable(verdict.category))
            #expect(isPrintable(verdict.name?.text) && verdict.name?.text.utf8.count ?? 1 <= 253)
            #expect(Conversation(verdict.conversation.tuple)?.tuple == verdict.conversation.tuple)
        case .name(let answer, _):
            #expect(answer.name.utf8.allSatisfy { (0x21...0x7E).contains($0) } && isPrintable(answer.canonicalName))
        case .neighbour(let neighbour, _):
            #expect(isPrintable(neighbour.chassis.text) && isPrintable(neighbour.port.text) && isPrintable(neighbour.systemName))
        }
    }

    @Test func batchesComeBackAsTheyWere() {
        var batch = PacketBatch()
        var random = SplitMix64(seed: 8)
        var packets: [([UInt8], PacketNote)] = []
        while true {
            let bytes = random.bytes(Int.random(in: 0...3000, using: &random))
            let note = PacketNote(
                time: random.next(), originalLength: 9, network: 1, interface: 2, isEgress: random.once(in: 2),
                layer: random.pick([.ethernet, .network]))
            let isAdded = bytes.withUnsafeBytes { batch.add($0, note) }
            guard isAdded else { break }
            packets.append((bytes, note))
        }
        batch.seal(77)
        #expect(batch.bytes.count <= PacketBatch.mostBytes && packets.count > 15)
        var read: [([UInt8], PacketNote)] = []
        #expect(PacketBatch.read(batch.bytes[...]) { read.append((Array($0), $1)) } == 77)
        #expect(read.map(\.0) == packets.map(\.0) && read.map(\.1) == packets.map(\.1))
        for end in stride(from: 0, to: batch.bytes.count, by: 97) { #expect(PacketBatch.read(batch.bytes[..<end]) { _, _ in } == nil) }
        batch.clear()
        #expect(batch.isEmpty)
    }

    @Test func settingsAsArguments() {
        var settings = ClassifierSettings()
        settings.cpuPermille = 7
        settings.limits.filledUpTo = nil
        settings.limits.packets = 9
        #expect(ClassifierSettings(arguments: settings.arguments) == settings)
        #expect(ClassifierSettings(arguments: ["1"]) == nil && ClassifierSettings(arguments: Array(repeating: "x", count: 7)) == nil)
        #expect(ClassifierSettings(arguments: Array(repeating: "0", count: 7)) == nil)
    }
}

@Suite struct CPUBudgetTests {
    /// A share of 5 %: what is used beyond is not allowed, in the long run, however greedy.
    @Test func aShareOfTime() {
        var budget = CPUBudget(permille: 50, now: 0, used: 0)
        var (now, used, refused): (UInt64, UInt64, Int) = (0, 0, 0)
        for _ in 0..<600_000 {
            now += 100_000
            if budget.allows(now: now, used: used) { used += 80_000 } else { refused += 1 }
        }
        #expect(used <= now / 20 + 100_000_000 && used >= now / 20 - 100_000_000, "\(used) of \(now)")
        #expect(refused > 500_000)
    }

    @Test func afterARestThereIsSomethingLeft() {
        var budget = CPUBudget(permille: 50, now: 0, used: 0)
        let atFirst = budget.allows(now: 1, used: 0)
        let whenUsedUp = budget.allows(now: 1_000_000, used: 500_000_000)
        let rest = budget.restUntil
        let justBefore = budget.allows(now: rest - 1, used: 500_000_000)
        let after = budget.allows(now: rest, used: 500_000_000)
        #expect(atFirst && !whenUsedUp && !justBefore && after)
        #expect(rest > 1_000_000 && budget.restUntil == 0)
    }
}
