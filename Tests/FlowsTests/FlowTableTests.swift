import Flows
import NetworkTypes
import TestSupport
import Testing

/// The table against a dictionary that does the same without bounds or cleverness.
struct FlowTableTests {
    private static func key(_ n: Int) -> FlowKey {
        FlowKey(
            outer: FlowTuple(
                source: IPAddress("10.0.0.1"), destination: IPAddress("10.0.0.2"), sourcePort: UInt16(n & 0xFFFF),
                destinationPort: UInt16(n >> 16),
                protocol: .tcp, form: .ports, etherType: .ipv4),
            interface: InterfaceID(rawValue: UInt32(1 + n % 3)), direction: n % 2 == 0 ? .ingress : .egress,
            vxlan: n % 5 == 0
                ? (UInt32(n), FlowTuple(source: nil, destination: nil, protocol: .udp, form: .ports, etherType: .ipv4)) : nil)
    }

    private static func observation(
        _ n: Int, at time: Int64, packets: UInt64 = 1, flags: TCPFlags = .ack, isNewStay: Bool = true
    ) -> FlowObservation {
        FlowObservation(
            key: key(n), totals: Totals(skbs: packets, skbBytes: packets * 100, wirePackets: packets * 2, wireBytes: packets * 150),
            transport: TransportCounts(retransmitted: packets),
            traits: FlowTraits(
                first: Timestamp(nanoseconds: time), last: Timestamp(nanoseconds: time), smallest: UInt32(60 + n % 7),
                largest: UInt32(100 + n % 11),
                tcpFlags: flags, dscp: UInt8(time & 63), ecn: 1, ttlMinimum: 60, ttlMaximum: 64),
            isNewStay: isNewStay)
    }

    /// What the table must know: live flows, and what has left by point.
    private struct Oracle {
        var live: [FlowKey: FlowRecord] = [:]
        var lastExport: [FlowKey: Timestamp] = [:]
        var closed: [ObservationPoint: Totals] = [:]
        var merged: [ObservationPoint: Totals] = [:]

        mutating func merge(_ o: FlowObservation) {
            merged[o.key.point, default: Totals()] += o.totals
            if var record = live[o.key] {
                record.totals += o.totals
                record.transport += o.transport
                record.traits.first = min(record.traits.first, o.traits.first)
                if o.traits.last >= record.traits.last {
                    record.traits.last = o.traits.last
                    record.traits.dscp = o.traits.dscp
                }
                record.traits.smallest = min(record.traits.smallest, o.traits.smallest)
                record.traits.largest = max(record.traits.largest, o.traits.largest)
                record.traits.tcpFlags.formUnion(o.traits.tcpFlags)
                live[o.key] = record
            } else {
                live[o.key] = FlowRecord(key: o.key, totals: o.totals, transport: o.transport, traits: o.traits)
                lastExport[o.key] = o.traits.first
            }
        }

        /// A flow that the table has let go, as it says.
        mutating func close(_ flow: FlowTable.Closed) {
            #expect(live.removeValue(forKey: flow.entry.record.key) == flow.entry.record)
            lastExport[flow.entry.record.key] = nil
            closed[flow.entry.record.key.point, default: Totals()] += flow.entry.record.totals
        }
    }

    private func expectEqual(_ table: borrowing FlowTable, _ oracle: Oracle, _ comment: Comment) {
        var live: [FlowKey: FlowRecord] = [:]
        table.forEach { #expect(live.updateValue($0.record, forKey: $0.record.key) == nil, "twice in the table") }
        #expect(live == oracle.live, comment)
        #expect(table.count == oracle.live.count && table.count <= table.limit, comment)
        #expect(table.closed == oracle.closed, comment)
        var all = table.closed
        for (point, totals) in table.live() { all[point, default: Totals()] += totals }
        #expect(all == oracle.merged, "live + closed == merged: \(comment)")
    }

    @Test(arguments: [(1, 1), (2, 33), (3, 100), (4, 3000), (5, 100_000)] as [(UInt64, Int)])
    func randomOperationsMatchTheOracle(seed: UInt64, limit: Int) {
        var random = SplitMix64(seed: seed)
        var table = FlowTable(limit: limit)
        var oracle = Oracle()
        var hints: [Int: UInt32] = [:]
        var now: Int64 = 0
        var displaced: UInt64 = 0
        let idle = Duration.nanoseconds(400), ended = Duration.nanoseconds(100), active = Duration.nanoseconds(900)
        for step in 0..<12_000 {
            now += Int64.random(in: 0...2, using: &random)
            switch Int.random(in: 0..<1000, using: &random) {
            case 0:
                let id = InterfaceID(rawValue: UInt32.random(in: 1...4, using: &random))
                let expected = oracle.live.keys.filter { $0.interface == id }.count
                var count = 0
                table.close(interface: id) {
                    #expect($0.end == .forcedEnd)
                    oracle.close($0)
                    count += 1
                }
                #expect(count == expected)
            case 1..<6:
                let time = Timestamp(nanoseconds: now)
                var reported: [FlowKey] = []
                table.expire(now: time, idle: idle, ended: ended, active: active) { entry in
                    reported.append(entry.record.key)
                    #expect(time - entry.lastExport >= active && entry.record == oracle.live[entry.record.key])
                } onClose: { flow in
                    let traits = flow.entry.record.traits
                    #expect(flow.end == (traits.tcpFlags.contains(.fin) ? .endOfFlow : .idleTimeout))
                    #expect(time - traits.last >= (traits.tcpFlags.contains(.fin) ? ended : idle))
                    oracle.close(flow)
                }
                #expect(
                    Set(reported) == Set(oracle.lastExport.filter { time - $0.value >= active }.keys), "all that were due, seed \(seed)")
                for key in reported { oracle.lastExport[key] = time }
                // All entries were looked at: none is left that should have gone.
                #expect(oracle.live.values.allSatisfy { time - $0.traits.last < ($0.traits.tcpFlags.contains(.fin) ? ended : idle) })
            default:
                let n = random.next() % 4 == 0 ? Int.random(in: 0..<20_000, using: &random) : Int.random(in: 0..<200, using: &random)
                let observation = Self.observation(
                    n, at: now, packets: UInt64.random(in: 1...9, using: &random), flags: random.next() % 20 == 0 ? [.fin, .ack] : .ack)
                // A hint may be right, stale, another's, or out of bounds.
                let hint: UInt32 = [hints[n] ?? .max, hints[n] ?? 0, UInt32.random(in: 0..<200, using: &random), .max].randomElement(
                    using: &random)!
                let isKnown = oracle.live[observation.key] != nil
                let wasFull = table.count == limit
                let index = table.merge(observation, hint: hint, tick: 0) {
                    #expect($0.end == .lackOfResources && !isKnown && wasFull)
                    oracle.close($0)
                    displaced += 1
                }
                oracle.merge(observation)
                hints[n] = index
                #expect(table[index] == oracle.live[observation.key])
            }
            if step % 1500 == 0 { expectEqual(table, oracle, "step \(step), seed \(seed)") }
        }
        expectEqual(table, oracle, "in the end, seed \(seed)")
        #expect(table.displaced == displaced && (displaced > 0) == (limit < 1000))
    }

    @Test func growsToItsLimitAndNoFurther() {
        var table = FlowTable(limit: 50_000)
        var indices: Set<UInt32> = []
        for n in 0..<50_000 {
            indices.insert(table.merge(Self.observation(n, at: Int64(n)), tick: 0) { _ in Issue.record("not full yet") })
        }
        #expect(table.count == 50_000 && indices.count == 50_000)
        for n in stride(from: 0, to: 50_000, by: 7) {
            #expect(indices.contains(table.merge(Self.observation(n, at: 60_000), tick: 0) { _ in Issue.record("it was there") }))
        }
        var gone: [FlowKey] = []
        table.merge(Self.observation(50_000, at: 60_000), tick: 0) { gone.append($0.entry.record.key) }
        #expect(table.count == 50_000 && gone.count == 1 && table.displaced == 1)
    }

    @Test func theLongestIdleOfAFewMakesRoom() {
        var table = FlowTable(limit: 32)
        for n in 0..<32 { table.merge(Self.observation(n, at: n == 17 ? 1 : 1000 + Int64(n)), tick: 0) { _ in } }
        var gone: [FlowKey] = []
        table.merge(Self.observation(99, at: 2000), tick: 0) { gone.append($0.entry.record.key) }
        #expect(gone == [Self.key(17)])
    }

    /// A table that is looked at in shares reaches every flow in its turn.
    @Test func sharesCoverTheTable() {
        var table = FlowTable(limit: 1000)
        for n in 0..<1000 { table.merge(Self.observation(n, at: 0), tick: 0) { _ in } }
        var closed = 0
        for call in 1...10 {
            table.expire(
                now: Timestamp(nanoseconds: 500), idle: .nanoseconds(100), ended: .nanoseconds(100), active: .seconds(1), share: 0.1
            ) { _ in
                Issue.record("not due")
            } onClose: { _ in
                closed += 1
            }
            #expect(closed == call * 100)
        }
        #expect(table.count == 0)
    }

    @Test func aStayThatWasReportedBeforeStartsNow() {
        var table = FlowTable(limit: 10)
        var late = Self.observation(1, at: 50, isNewStay: false)
        late.traits.first = Timestamp(nanoseconds: 10)
        let index = table.merge(late, tick: 0) { _ in }
        #expect(table[index]?.traits.first == Timestamp(nanoseconds: 50))
        #expect(table[index + 1] == nil && table[.max] == nil)
    }

    /// One CPU's observations come in the order of its packets, also when the clock went back between them; those of several CPUs are put
    /// in order by their times, and of two in the same jiffy the one that is told later counts as the later.
    @Test func theLatestPacketIsKnownByCPUThenByTime() {
        var table = FlowTable(limit: 10)
        // The times and the codepoints differ, so that each step tells which of the two rules it went by.
        let steps: [(cpu: UInt16, time: Int64, dscp: UInt8, latest: UInt8, last: Int64)] = [
            (0, 100, 1, 1, 100), (0, 90, 2, 2, 100),
            (1, 95, 3, 2, 100), (1, 99, 4, 2, 100), (0, 80, 5, 5, 100),
            (1, 100, 6, 6, 100), (0, 99, 7, 6, 100), (0, 99, 8, 6, 100), (1, 50, 9, 9, 100), (0, 101, 10, 10, 101),
        ]
        for (number, step) in steps.enumerated() {
            var observation = Self.observation(1, at: step.time)
            observation.cpu = step.cpu
            observation.traits.dscp = step.dscp
            let traits = table[table.merge(observation, tick: 0) { _ in }]?.traits
            #expect(traits?.dscp == step.latest && traits?.last == Timestamp(nanoseconds: step.last), "step \(number): \(step)")
            #expect(traits?.notes.contains(.severalCPUs) == (number >= 2), "step \(number)")
        }
    }

    @Test func ratesAreOfTheLastWholeSecond() {
        var table = FlowTable(limit: 10)
        func rate(_ table: borrowing FlowTable, at tick: UInt32) -> FlowRate? {
            var rate: FlowRate?
            table.forEach { rate = $0.rate(at: tick) }
            return rate
        }
        table.merge(Self.observation(1, at: 1, packets: 5), tick: 7) { _ in }
        table.merge(Self.observation(1, at: 2, packets: 1), tick: 7) { _ in }
        #expect(rate(table, at: 7) == FlowRate())
        #expect(rate(table, at: 8) == FlowRate(packets: 12, bytes: 900))
        table.merge(Self.observation(1, at: 3, packets: 2), tick: 8) { _ in }
        #expect(rate(table, at: 8) == FlowRate(packets: 12, bytes: 900))
        #expect(rate(table, at: 9) == FlowRate(packets: 4, bytes: 300))
        #expect(rate(table, at: 10) == FlowRate())
        table.merge(Self.observation(1, at: 4), tick: 20) { _ in }
        #expect(rate(table, at: 20) == FlowRate())
    }
}
