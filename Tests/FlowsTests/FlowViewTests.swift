import FlowSupport
import Flows
import NetworkTypes
import Testing

@Suite struct FlowViewTests {
    private static func readings(_ count: Int, seed: UInt64) -> [FlowReading] {
        var flows = RandomFlows(seed: seed)
        return (0..<count).map { _ in
            let record = flows.record()
            let change = Totals(wirePackets: record.totals.wirePackets / 10, wireBytes: record.totals.wireBytes / 10)
            return FlowReading(record: record, change: change, interval: .seconds(2))
        }
    }

    /// As a list keyed by flow would hold them: no key twice.
    private static func distinct(_ readings: [FlowReading]) -> [FlowReading] {
        Array(Dictionary(readings.map { ($0.record.key, $0) }, uniquingKeysWith: { a, _ in a }).values)
    }

    @Test(arguments: FlowMeasure.allCases, [false, true]) func firstAgreesWithSorting(measure: FlowMeasure, ascending: Bool) {
        let all = Self.distinct(Self.readings(600, seed: 21))
        let sorted = all.sorted { a, b in
            let (x, y) = (measure.value(of: a), measure.value(of: b))
            return x != y ? (ascending ? x < y : x > y) : a.record.key.precedes(b.record.key)
        }
        for count in [0, 1, 7, 599, 600, 10_000] {
            #expect(FlowOrder(measure, ascending: ascending).first(count, of: all.shuffled()) == Array(sorted.prefix(count)))
        }
        #expect(FlowOrder(measure).first(-1, of: all).isEmpty)
    }

    @Test func firstOfThoseAdmitted() throws {
        let all = Self.readings(300, seed: 22)
        let filter = try FlowFilter(parsing: "ingress and tcp")
        let some = FlowOrder(.bytes).first(1000, of: all) { filter.matches($0.record, interfaceName: RandomFlows.name) }
        #expect(some.count == all.count { filter.matches($0.record, interfaceName: RandomFlows.name) })
        #expect(!some.isEmpty)
    }

    /// For every grouping whose rows are disjoint: the rows of an interface add up to its flows, each taken from one point.
    @Test(arguments: [FlowGrouping.conversation, .port, .protocol, .vni], TupleChoice.allCases)
    func nothingIsLostOrCountedTwice(grouping: FlowGrouping, choice: TupleChoice) {
        let all = Self.distinct(Self.readings(4000, seed: 23))
        // The definition, by brute force: for each interface and key without direction the larger of the two points.
        var wanted: [InterfaceID: UInt64] = [:]
        let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.record.key, $0) })
        var met: Set<FlowKey> = []
        var doubled = 0
        for reading in all {
            let key = reading.record.key
            if met.contains(key) { continue }
            var twin = key
            twin.words.6 ^= 1 << 32
            met.formUnion([key, twin])
            let other = byKey[twin]
            doubled += other == nil ? 0 : 1
            wanted[key.interface, default: 0] += max(reading.record.totals.wirePackets, other?.record.totals.wirePackets ?? 0)
        }
        #expect(doubled > 20)
        let rows = FlowView.groups(of: all, by: grouping, tuple: choice)
        let found = Dictionary(rows.map { ($0.interface, $0.total.totals.wirePackets) }, uniquingKeysWith: +)
        #expect(found == wanted)
        #expect(rows.allSatisfy { row in row.points.allSatisfy { $0.interface == row.interface } && !row.points.isEmpty })
        #expect(Set(rows.map { "\($0.subject) \($0.interface)" }).count == rows.count)
    }

    @Test func interfacesKeepBothPoints() {
        let all = Self.distinct(Self.readings(2000, seed: 24))
        let rows = FlowView.groups(of: all, by: .interface)
        #expect(rows.reduce(0) { $0 + $1.total.totals.wireBytes } == all.reduce(0) { $0 + $1.record.totals.wireBytes })
        #expect(rows.allSatisfy { $0.points.count == 1 })
    }

    private static func tcp(_ from: String, _ fromPort: UInt16, _ to: String, _ toPort: UInt16) -> FlowTuple {
        FlowTuple(
            source: IPAddress(from), destination: IPAddress(to), sourcePort: fromPort, destinationPort: toPort, protocol: .tcp,
            form: .ports,
            etherType: .ipv4)
    }
    private static func reading(
        _ tuple: FlowTuple, on interface: UInt32, _ direction: Direction, packets: UInt64, vxlan: (UInt32, FlowTuple)? = nil
    ) -> FlowReading {
        let key = FlowKey(outer: tuple, interface: InterfaceID(rawValue: interface), direction: direction, vxlan: vxlan)
        let totals = Totals(skbs: packets, skbBytes: packets * 100, wirePackets: packets, wireBytes: packets * 100)
        let traits = FlowTraits(first: Timestamp(nanoseconds: 1), last: Timestamp(nanoseconds: 2))
        return FlowReading(record: FlowRecord(key: key, totals: totals, transport: TransportCounts(), traits: traits))
    }

    @Test func conversationJoinsBothDirections() throws {
        let ask = Self.tcp("10.0.0.9", 40_000, "10.0.0.1", 443)
        let rows = FlowView.groups(
            of: [
                Self.reading(ask, on: 1, .egress, packets: 10), Self.reading(ask.reversed, on: 1, .ingress, packets: 20),
                Self.reading(ask, on: 2, .egress, packets: 10), Self.reading(ask.reversed, on: 2, .ingress, packets: 20),
            ], by: .conversation)
        #expect(rows.count == 2)
        let row = try #require(rows.first { $0.interface.rawValue == 1 })
        #expect(row.subject == .conversation(ask, vni: nil))
        #expect(row.sent.totals.wirePackets == 10)
        #expect(row.received.totals.wirePackets == 20)
        #expect(row.flows == 2)
        #expect(row.points.count == 2)
    }

    /// A packet that leaves by the interface it came in on is one packet of the host.
    @Test func hairpinIsCountedOnce() throws {
        let tuple = Self.tcp("10.0.0.9", 40_000, "10.0.0.1", 443)
        let readings = [Self.reading(tuple, on: 1, .ingress, packets: 10), Self.reading(tuple, on: 1, .egress, packets: 9)]
        let rows = FlowView.groups(of: readings, by: .host)
        #expect(rows.count == 2)
        let host = try #require(rows.first { $0.subject == .host(IPAddress("10.0.0.9")!) })
        #expect(host.sent.totals.wirePackets == 10)
        #expect(host.received.totals.wirePackets == 0)
        #expect(host.points == [ObservationPoint(interface: InterfaceID(rawValue: 1), direction: .ingress)])
    }

    @Test func tunnelSubjects() throws {
        let underlay = Self.tcp("192.0.2.1", 50_000, "192.0.2.2", 4789)
        let tenant = Self.tcp("10.0.0.9", 40_000, "10.0.0.1", 443)
        let readings = [Self.reading(underlay, on: 1, .egress, packets: 5, vxlan: (42, tenant))]
        let outer = FlowView.groups(of: readings, by: .host)
        #expect(Set(outer.map(\.subject)) == [.host(IPAddress("192.0.2.1")!), .host(IPAddress("192.0.2.2")!)])
        let inner = FlowView.groups(of: readings, by: .conversation, tuple: .innermost)
        #expect(inner.map(\.subject) == [.conversation(tenant, vni: 42)])
        #expect(FlowView.groups(of: readings, by: .vni).map(\.subject) == [.vni(42)])
        #expect(FlowView.groups(of: readings, by: .port).map(\.subject) == [.port(.tcp, 4789)])
    }

    @Test func aHostThatTalksToItselfCountsOnce() {
        let rows = FlowView.groups(of: [Self.reading(Self.tcp("10.0.0.1", 5, "10.0.0.1", 6), on: 1, .ingress, packets: 3)], by: .host)
        #expect(rows.count == 1)
        #expect(rows[0].total.totals.wirePackets == 3)
    }

    @Test func firstGroups() {
        let rows = FlowView.groups(of: Self.distinct(Self.readings(500, seed: 25)), by: .host)
        let sorted = rows.sorted { $0.total.totals.wireBytes > $1.total.totals.wireBytes }
        let first = FlowView.first(5, of: rows, by: .bytes, interval: .seconds(2))
        #expect(first.map(\.total.totals.wireBytes) == sorted.prefix(5).map(\.total.totals.wireBytes))
    }
}
