import Dissection
import Flows
import NetworkTypes
import TestSupport
import Testing

@Suite struct ConversationTests {
    private static func tuple(_ from: String, _ fromPort: UInt16, _ to: String, _ toPort: UInt16, _ number: NetworkTypes.IPProtocol = .tcp)
        -> FlowTuple
    {
        let source = IPAddress(from)!
        var type = EtherType.ipv4
        if case .v6 = source { type = .ipv6 }
        return FlowTuple(
            source: source, destination: IPAddress(to)!, sourcePort: fromPort, destinationPort: toPort, protocol: number,
            form: number == .icmp ? .icmp : .ports, etherType: type)
    }

    @Test func bothDirectionsAreOne() throws {
        for (from, to) in [
            (("192.0.2.9", 10), ("192.0.2.10", 5)), (("192.0.2.1", 9), ("192.0.2.1", 10)), (("2001:db8::1", 1), ("2001:db8:1::", 1)),
        ] as [((String, UInt16), (String, UInt16))] {
            let there = Self.tuple(from.0, from.1, to.0, to.1)
            let back = Self.tuple(to.0, to.1, from.0, from.1)
            let conversation = try #require(Conversation(there))
            #expect(conversation == Conversation(back) && conversation.tuple == there)
            #expect(conversation.isFromLowerEnd(there) && !conversation.isFromLowerEnd(back))
            #expect(conversation != Conversation(there, vni: 1) && conversation != Conversation(there, network: 1))
        }
    }

    @Test func ofAFlow() throws {
        let (inner, outer) = (Self.tuple("192.0.2.1", 1, "192.0.2.2", 2), Self.tuple("198.51.100.1", 3, "198.51.100.2", 4789, .udp))
        let key = FlowKey(outer: outer, interface: InterfaceID(rawValue: 1), direction: .egress, vxlan: (vni: 9, inner: inner))
        #expect(Conversation(key) == Conversation(inner, vni: 9))
        #expect(Conversation(key.reversed) == Conversation(key))
        let echo = FlowKey(
            outer: Self.tuple("192.0.2.1", 77, "192.0.2.2", 0x0800, .icmp), interface: InterfaceID(rawValue: 1), direction: .egress)
        #expect(Conversation(echo) == Conversation(echo.reversed) && Conversation(echo)?.tuple.destinationPort == 0)
        #expect(
            Conversation(
                FlowTuple(source: .v4(1), destination: .v4(2), protocol: .udp, form: .fragment, etherType: .ipv4)) == nil)
    }
}

@Suite struct TableTests {
    /// Beside a list that is kept in order.
    @Test func recencyTableForgetsTheOldest() {
        var random = SplitMix64(seed: 3)
        var table = RecencyTable<Int, Int>(capacity: 8)
        var model: [(key: Int, value: Int)] = []
        for step in 0..<20_000 {
            let key = Int.random(in: 0..<20, using: &random)
            let place = model.firstIndex { $0.key == key }
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                if let place { model.remove(at: place) }
                let expected = place == nil && model.count == 8 ? model.removeFirst() : nil
                model.append((key, step))
                let gone = table.set(key, step)
                #expect(gone?.key == expected?.key && gone?.value == expected?.value)
            case 5..<7:
                let used = table.use(key)
                #expect(used == place.map { model[$0].value })
                if let place { model.append(model.remove(at: place)) }
            case 7:
                let expected = place.map { model.remove(at: $0).value }
                let removed = table.remove(key)
                #expect(removed == expected)
            case 8:
                let expected = model.isEmpty ? nil : model.removeFirst().key
                let removed = table.removeOldest()?.key
                #expect(removed == expected)
            default: #expect(table.peek(key) == place.map { model[$0].value })
            }
            #expect(table.count == model.count && table.oldestEntry?.key == model.first?.key)
        }
    }

    @Test func namesHoldForTheirTime() {
        var names = NameTable(capacity: 2)
        func answer(_ address: UInt32, _ name: String, _ seconds: UInt32) -> DNSAnswers.Address {
            .init(address: .v4(address), name: name, timeToLive: seconds)
        }
        let (second, day) = (1_000_000_000 as UInt64, 86_400_000_000_000 as UInt64)
        names.learn(answer(1, "a.example", 0), now: 0)
        names.learn(answer(1, "b.example", .max), now: second)
        #expect(names.names(of: .v4(1), now: 2 * second) == ["b.example", "a.example"])
        #expect(names.names(of: .v4(1), now: 700 * second) == ["b.example"])
        #expect(names.names(of: .v4(1), now: day + 2 * second) == [])
        // Said again, it is the latest; more than four are too many.
        names.learn(answer(1, "a.example", 0), now: 2 * second)
        #expect(names.names(of: .v4(1), now: 3 * second).first == "a.example")
        for i in 0..<9 { names.learn(answer(1, "\(i)", 0), now: 3 * second) }
        #expect(names.names(of: .v4(1), now: 4 * second) == ["8", "7", "6", "5"])
        names.learn(answer(2, "c", 0), now: 0)
        names.learn(answer(3, "d", 0), now: 0)
        #expect(names.count == 2 && names.evicted == 1 && names.names(of: .v4(1), now: 4 * second) == [])
    }
}
