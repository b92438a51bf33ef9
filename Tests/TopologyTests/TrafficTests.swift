import Flows
import NetworkTypes
import TestSupport
import Testing

@testable import Topology

struct TrafficTests {
    /// The lab with interfaces counted: each end's own eth0 (1…) and its port on the bridge (101…), and the uplinks of the hosts (201…).
    private func lab(limits: TopologyLimits = TopologyLimits()) -> (TopologyBuilder, [String: UInt32]) {
        let lab = TopologyLab()
        var builder = TopologyBuilder(limits: limits)
        builder.observe(lab.observations)
        var numbers: [String: UInt32] = [:]
        func count(_ namespace: String, _ name: String, _ number: UInt32) {
            let index = lab.link(name, in: namespace).index
            numbers["\(namespace)/\(name)"] = number
            builder.observe(.counted(InterfaceID(rawValue: number), interface: index, in: lab.cookies[namespace]!))
        }
        var number: UInt32 = 1
        for host in 1...3 {
            count("h\(host)", "eth0", UInt32(200 + host))
            for vni in [100, 200] {
                for end in 1...3 {
                    count("h\(host)-n\(vni)-\(end)", "eth0", number)
                    count("h\(host)", "v\(vni)-\(end)", number + 100)
                    number += 1
                }
            }
        }
        _ = builder.commit(at: second(1))
        return (builder, numbers)
    }

    /// A mirror session's copies, and tunnels that carry such: of this host by the note of the datapath, of others by their VNI.
    @Test func copiesAreNoCommunication() throws {
        var (builder, numbers) = lab()
        var copy = Self.query.seen(at: numbers["h2/eth0"]!, .egress)
        copy.traits.notes = .copy
        var envelope = TestFlow(source: "192.0.2.1", destination: "192.0.2.2", sourcePort: 50_000, destinationPort: 4789)
            .seen(at: numbers["h1/eth0"]!, .egress)
        envelope.traits.notes = [.copy, .severalCPUs]
        let foreign = Self.query.seen(at: numbers["h3/eth0"]!, .ingress, vni: 0xFF_0001, between: ("192.0.2.1", "192.0.2.3"))
        builder.observe(.traffic([copy, envelope, foreign]))
        let snapshot = builder.commit(at: second(2))
        #expect(snapshot.linkKeys(.talks).isEmpty && snapshot.linkKeys(.tunnel).filter { $0.description.contains("1671") }.isEmpty)
        #expect(snapshot.folded.copiedDeltas == 3 && snapshot.folded.unplacedDeltas == 0)
        #expect(snapshot.find("vni/16711681") == .nothing)
    }

    private func summary(_ key: String, _ snapshot: Snapshot) throws -> TrafficSummary {
        guard case .link(let link) = try #require(EntityKey(key)) else { throw TestFailure() }
        let id = try #require(snapshot.id(of: link), "\(key) of \(snapshot.linkKeys(.talks))")
        return try #require(snapshot.traffic(of: id))
    }
    private struct TestFailure: Error {}

    private static let query = TestFlow(source: "10.0.0.11", destination: "10.0.0.21", sourcePort: 40_000, destinationPort: 5432)
    private static let talk = "vni/100/ip/10.0.0.11~talks:tcp/5432~vni/100/ip/10.0.0.21"

    /// All the places that see a packet on its way from h1 to h2, each way.
    private func everywhere(_ flow: TestFlow, _ numbers: [String: UInt32]) -> [FlowDelta] {
        let answer = flow.reversed()
        let (there, back) = (("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1"))
        return [
            flow.seen(at: numbers["h1-n100-1/eth0"]!, .egress), flow.seen(at: numbers["h1/v100-1"]!, .ingress),
            flow.seen(at: numbers["h1/eth0"]!, .egress, vni: 100, between: there),
            flow.seen(at: numbers["h2/eth0"]!, .ingress, vni: 100, between: there),
            flow.seen(at: numbers["h2/v100-1"]!, .egress), flow.seen(at: numbers["h2-n100-1/eth0"]!, .ingress),
            answer.seen(at: numbers["h2-n100-1/eth0"]!, .egress), answer.seen(at: numbers["h2/v100-1"]!, .ingress),
            answer.seen(at: numbers["h2/eth0"]!, .egress, vni: 100, between: back),
            answer.seen(at: numbers["h1/eth0"]!, .ingress, vni: 100, between: back),
            answer.seen(at: numbers["h1/v100-1"]!, .egress), answer.seen(at: numbers["h1-n100-1/eth0"]!, .ingress),
        ]
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func aFlowThatManyInterfacesSeeIsCountedOnce(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var (builder, numbers) = lab()
        for epoch in 2...4 {
            builder.observe(.traffic(everywhere(Self.query, numbers).shuffled(using: &random)))
            let snapshot = builder.commit(at: second(Int64(epoch)))
            let summary = try summary(Self.talk, snapshot)
            #expect(summary.forward.totalPackets == UInt64(10 * (epoch - 1)))
            #expect(summary.backward.totalBytes == UInt64(4000 * (epoch - 1)))
            #expect(summary.forward.packets == 10)
            #expect(summary.flows == 1)
            // This and the tunnel.
            #expect(snapshot.active.map { snapshot.kind(of: $0).rawValue }.sorted() == [10, 12])
            #expect(snapshot.linkKeys(.talks) == [Self.talk])
            #expect(snapshot.keys(.service) == ["vni/100/service/tcp/5432"])
            let vteps = (1...2).map { "bridge/lab/wire/br-wire/ip/192.0.2.\($0)" }
            let tunnel = try self.summary("\(vteps[0])~tunnel:100~\(vteps[1])", snapshot)
            #expect(tunnel.forward.totalPackets == UInt64(10 * (epoch - 1)))
            #expect(tunnel.backward.totalPackets == UInt64(8 * (epoch - 1)))
        }
    }

    @Test func aPathThatMovesIsFollowed() throws {
        var (builder, numbers) = lab()
        let point = numbers["h1/v100-1"]!
        var time: Int64 = 1
        func observe(_ interface: UInt32, _ direction: Direction) -> UInt64 {
            time += 1
            builder.observe(.traffic([Self.query.seen(at: interface, direction), Self.query.reversed().seen(at: interface, .egress)]))
            let snapshot = builder.commit(at: second(time))
            return (try? summary(Self.talk, snapshot).forward.totalPackets) ?? 0
        }
        #expect(observe(point, .ingress) == 10)
        // A worse point reports while the better one is silent: not at once.
        let other = numbers["h2/v100-1"]!
        for _ in 0..<3 { #expect(observe(other, .egress) == 10) }
        #expect(observe(other, .egress) == 20)
        // The better one is back.
        #expect(observe(point, .ingress) == 30)
    }

    @Test func clientPortsAreNoServices() {
        var (builder, numbers) = lab()
        var deltas: [FlowDelta] = []
        let point = numbers["h1/v100-1"]!
        for port in 0..<200 {
            var flow = Self.query
            flow.sourcePort = UInt16(33_000 + port)
            // The datapath's clock is coarse: who came first is not known of half of them; of some the beginning was not seen.
            if port % 2 == 0 { flow.first = 5 }
            if port % 3 == 0 { flow.flags = [.ack] }
            deltas += [flow.seen(at: point, .ingress), flow.reversed(first: port % 2 == 0 ? 5 : 9).seen(at: point, .egress)]
        }
        builder.observe(.traffic(deltas))
        let snapshot = builder.commit(at: second(2))
        #expect(snapshot.keys(.service) == ["vni/100/service/tcp/5432"])
        #expect(snapshot.linkKeys(.talks) == [Self.talk])
        #expect(snapshot.linkKeys(.serves) == ["vni/100/ip/10.0.0.21~serves~vni/100/service/tcp/5432"])
    }

    @Test func anUnnamedHighPortServesWhenSeveralAskIt() {
        var (builder, numbers) = lab()
        var deltas: [FlowDelta] = []
        for end in 1...3 {
            var flow = TestFlow(source: "10.0.0.1\(end)", destination: "10.0.0.21")
            (flow.sourcePort, flow.destinationPort, flow.transport) = (UInt16(33_000 + end), 45_678, .udp)
            (flow.first, flow.flags) = (5, [])
            let point = numbers["h1/v100-\(end)"]!
            deltas += [flow.seen(at: point, .ingress), flow.reversed(first: 5).seen(at: point, .egress)]
        }
        builder.observe(.traffic(deltas))
        #expect(builder.commit(at: second(2)).keys(.service) == ["vni/100/service/udp/45678"])
    }

    @Test func roundTripsAreOfOneInterface() throws {
        var (builder, numbers) = lab()
        var flow = Self.query
        flow.handshake = 100
        var answer = flow.reversed()
        answer.handshake = 900
        var elsewhere = answer
        elsewhere.handshake = 5
        builder.observe(
            .traffic([
                flow.seen(at: numbers["h1/v100-1"]!, .ingress), answer.seen(at: numbers["h1/v100-1"]!, .egress),
                elsewhere.seen(at: numbers["h2-n100-1/eth0"]!, .egress),
            ]))
        let summary = try summary(Self.talk, builder.commit(at: second(2)))
        #expect(summary.roundTrips.leastMicroseconds == 1000)
        #expect(summary.roundTrips.quantile(0.5) == 1024)
    }

    /// The outer packets of the two directions are flows of different ports; the parts of one point make a round trip.
    @Test func aTunnelHasTheRoundTripsOfWhatIsInside() throws {
        var (builder, numbers) = lab()
        let (there, back) = (("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1"))
        func trips(_ near: UInt32, _ far: UInt32, port: UInt16, epoch: Int64) throws -> RoundTrips {
            var flow = TestFlow(source: "10.0.0.11", destination: "10.0.0.21", sourcePort: port, destinationPort: 5432)
            flow.handshake = near
            var answer = flow.reversed()
            answer.handshake = far
            var elsewhere = answer
            elsewhere.handshake = 5
            builder.observe(
                .traffic([
                    answer.seen(at: numbers["h1/eth0"]!, .ingress, vni: 100, between: back),
                    elsewhere.seen(at: numbers["h2/eth0"]!, .egress, vni: 100, between: back),
                ]))
            _ = builder.commit(at: second(epoch))
            builder.observe(.traffic([flow.seen(at: numbers["h1/eth0"]!, .egress, vni: 100, between: there)]))
            let snapshot = builder.commit(at: second(epoch + 1))
            let vteps = (1...2).map { "bridge/lab/wire/br-wire/ip/192.0.2.\($0)" }
            return try summary("\(vteps[0])~tunnel:100~\(vteps[1])", snapshot).roundTrips
        }
        let one = try trips(100, 900, port: 40_001, epoch: 2)
        #expect(one.leastMicroseconds == 1000 && one.count == 1)
        let two = try trips(60, 700, port: 40_002, epoch: 4)
        #expect(two.leastMicroseconds == 760 && two.count == 2)
    }

    @Test func aVerdictMovesTheFlowToItsApplication() throws {
        var (builder, numbers) = lab()
        builder.observe(.traffic(everywhere(Self.query, numbers)))
        _ = builder.commit(at: second(2))
        let key = Self.query.seen(at: numbers["h1/v100-1"]!, .ingress).key
        builder.observe(.verdict(FlowVerdict(key: key, application: "postgres", server: "db.test")))
        let snapshot = builder.commit(at: second(3))
        let named = "vni/100/ip/10.0.0.11~talks:tcp/5432:postgres~vni/100/ip/10.0.0.21"
        #expect(snapshot.linkKeys(.talks) == [named])
        #expect(try summary(named, snapshot).forward.totalPackets == 10)
        #expect(snapshot.keys(.application) == ["app/postgres"])
        #expect(snapshot.find("db.test") == .found(snapshot.id(of: NodeKey("vni/100/ip/10.0.0.21")!)!))
        let application = snapshot.id(of: .application("postgres"))!
        #expect(snapshot.talks(of: application).map(\.application) == ["postgres"])
        let service = snapshot.id(of: NodeKey("vni/100/service/tcp/5432")!)!
        #expect(snapshot.talks(of: service).count == 1)
        #expect(snapshot.talks(of: snapshot.id(of: NodeKey("host/lab/ns/h1-n100-1")!)!).count == 1)
        #expect(snapshot.talks(of: snapshot.id(of: NodeKey("vni/200")!)!).isEmpty)
    }

    @Test func whatIsSilentGoes() {
        var limits = TopologyLimits()
        (limits.idleEpochs, limits.conversationIdleEpochs) = (20, 5)
        var (builder, numbers) = lab(limits: limits)
        let before = builder.snapshot.table
        let out = TestFlow(source: "10.0.0.11", destination: "198.51.100.7", sourcePort: 40_000, destinationPort: 443)
        let point = numbers["h1/v100-1"]!
        builder.observe(.traffic([out.seen(at: point, .ingress), out.reversed().seen(at: point, .egress)]))
        let during = builder.commit(at: second(2))
        #expect(during.keys(.endpoint).contains("external/ip/198.51.100.7"))
        #expect(during.keys(.service) == ["external/service/tcp/443"])
        for epoch in 3..<60 { _ = builder.commit(at: second(Int64(epoch))) }
        #expect(builder.snapshot.table == before)
    }

    /// Epochs that the kernel's announcements make are no time for flows.
    @Test func aStormOfChangesIsNoTime() {
        var limits = TopologyLimits()
        (limits.idleEpochs, limits.conversationIdleEpochs) = (20, 5)
        var (builder, numbers) = lab(limits: limits)
        let point = numbers["h1/v100-1"]!
        // It is answered, but only later.
        let question = TestFlow(source: "10.0.0.11", destination: "10.0.0.21", sourcePort: 40_000, destinationPort: 443)
        builder.observe(.traffic([question.seen(at: point, .ingress)]))
        _ = builder.commit(at: second(2))
        for step in 1..<100 { _ = builder.commit(at: Timestamp(nanoseconds: 2_000_000_000 + Int64(step) * 9_000_000)) }
        #expect(builder.snapshot.folded.unansweredFlows == 0 && builder.snapshot.linkKeys(.talks).isEmpty)
        builder.observe(.traffic([question.reversed().seen(at: point, .egress)]))
        _ = builder.commit(at: second(3))
        let talks = ["vni/100/ip/10.0.0.11~talks:tcp/443~vni/100/ip/10.0.0.21"]
        #expect(builder.snapshot.linkKeys(.talks) == talks && builder.snapshot.folded.unansweredFlows == 0)
        for step in 0..<2000 { _ = builder.commit(at: Timestamp(nanoseconds: 3_000_000_000 + Int64(step) * 9_000_000)) }
        // Eighteen seconds of it.
        #expect(builder.snapshot.linkKeys(.talks) == talks)
        for time in 22..<90 { _ = builder.commit(at: second(Int64(time))) }
        #expect(builder.snapshot.linkKeys(.talks).isEmpty)
    }

    @Test func aPortScanIsFolded() {
        var (builder, numbers) = lab()
        let before = builder.snapshot
        let point = numbers["h1/v100-1"]!
        for epoch in 0..<8 {
            var deltas: [FlowDelta] = []
            for port in 0..<1000 {
                // Half of the probes hit ports of a host that is there and are refused, half go to addresses that may be anybody's.
                let target = port % 2 == 0 ? "10.0.0.21" : "198.51.\(port / 50).\(port % 50)"
                var flow = TestFlow(source: "10.0.0.11", destination: target, sourcePort: 50_000)
                (flow.destinationPort, flow.flags, flow.packets) = (UInt16(1 + port + epoch * 1000), [.syn], 1)
                deltas.append(flow.seen(at: point, .ingress))
                if port % 2 == 0 {
                    var refusal = flow.reversed(packets: 1)
                    refusal.flags = [.rst, .ack]
                    deltas.append(refusal.seen(at: point, .egress))
                }
            }
            builder.observe(.traffic(deltas))
            _ = builder.commit(at: second(Int64(epoch + 2)))
        }
        let after = builder.snapshot
        #expect(after.keys(.service).isEmpty)
        #expect(after.keys(.endpoint) == before.keys(.endpoint))
        #expect(after.keys(.prefix).count <= 22 && after.keys(.prefix).count >= 10)
        #expect(after.linkKeys(.talks).count == after.keys(.prefix).count + 1)
        #expect(after.folded.unansweredFlows >= 5000)
    }

    /// Made-up sources that the server answers: no handshake is ever complete.
    @Test func aSpoofedFloodIsBoundedAndStays() {
        var limits = TopologyLimits()
        (limits.conversations, limits.idleEpochs, limits.conversationIdleEpochs) = (4000, 10, 5)
        var (builder, numbers) = lab(limits: limits)
        let before = builder.snapshot.table
        var random = SplitMix64(seed: 11)
        let point = numbers["h1/v100-1"]!
        var prefixes: Set<String> = []
        var changes = 0
        for epoch in 0..<12 {
            var deltas: [FlowDelta] = []
            for _ in 0..<1000 {
                let source = IPAddress.v4(UInt32.random(in: 0x0B00_0000...0x7E00_0000, using: &random)).description
                var flow = TestFlow(source: source, destination: "10.0.0.11", destinationPort: 80)
                (flow.sourcePort, flow.flags, flow.packets) = (1024 + UInt16(random.next() >> 52), [.syn], 1)
                var answer = flow.reversed(packets: 5)
                answer.flags = [.syn, .ack]
                deltas += [flow.seen(at: point, .egress), answer.seen(at: point, .ingress)]
            }
            let last = builder.snapshot
            builder.observe(.traffic(deltas))
            let snapshot = builder.commit(at: second(Int64(epoch + 2)))
            if epoch > 6 {
                changes += snapshot.changes(since: last).count
                #expect(prefixes.isSubset(of: snapshot.keys(.prefix)))
            }
            prefixes = Set(snapshot.keys(.prefix))
            #expect(prefixes.count <= 340)
            #expect(snapshot.keys(.service).isEmpty)
        }
        #expect(!prefixes.isEmpty)
        // Once the quotas are used up nothing comes or goes.
        #expect(changes == 0)
        for epoch in 20..<80 { _ = builder.commit(at: second(Int64(epoch))) }
        #expect(builder.snapshot.table == before)
    }

    @Test func beyondTheBoundEndpointsAreFoldedUntilThereIsRoom() {
        var limits = TopologyLimits()
        (limits.endpointsPerNetwork, limits.unfoldEpochs, limits.idleEpochs, limits.conversationIdleEpochs) = (50, 30, 20, 10)
        var (builder, numbers) = lab(limits: limits)
        let point = numbers["h1/v100-1"]!
        func talk(_ hosts: ClosedRange<Int>) -> [FlowDelta] {
            hosts.flatMap { host in
                let flow = TestFlow(source: "10.0.0.11", destination: "198.51.100.\(host)", sourcePort: 40_000, destinationPort: 443)
                return [flow.seen(at: point, .ingress), flow.reversed().seen(at: point, .egress)]
            }
        }
        func external() -> Int { builder.snapshot.keys(.endpoint).filter { $0.hasPrefix("external/") }.count }
        builder.observe(.traffic(talk(1...200)))
        _ = builder.commit(at: second(2))
        #expect(external() <= 50 && external() >= 40)
        #expect(builder.snapshot.keys(.prefix) == ["external/prefix/198.51.100.0/24"])
        // The first go silent, the last go on.
        for epoch in 3..<80 {
            builder.observe(.traffic(talk(190...200)))
            _ = builder.commit(at: second(Int64(epoch)))
        }
        #expect(builder.snapshot.keys(.prefix).isEmpty)
        #expect(external() == 11)
    }

    @Test func linksBeyondTheBoundAreCountedBetweenNetworks() {
        var limits = TopologyLimits()
        limits.communications = 10
        var (builder, numbers) = lab(limits: limits)
        let point = numbers["h1/v100-1"]!
        let deltas = (1...100).flatMap { host in
            let flow = TestFlow(source: "10.0.0.11", destination: "198.51.100.\(host)", sourcePort: 40_000, destinationPort: 443)
            return [flow.seen(at: point, .ingress), flow.reversed().seen(at: point, .egress)]
        }
        builder.observe(.traffic(deltas))
        let snapshot = builder.commit(at: second(2))
        #expect(snapshot.linkKeys(.talks).count == 11)
        #expect(snapshot.linkKeys(.talks).contains("vni/100~talks:tcp/0~external"))
        var packets: UInt64 = 0
        snapshot.forEachLink { id, kind, _, _ in if kind == .talks { packets += snapshot.traffic(of: id)!.forward.totalPackets } }
        #expect(packets == 1000)
    }

    @Test func whatBecomesKnownIsNotExternalAnyMore() {
        var builder = TopologyBuilder()
        let wire = LinkFact(index: 2, name: "eth0")
        builder.observe([
            .host(name: "a", HostState()), .namespace(NamespaceFact(cookie: 1, name: "init")), .appeared(.link(wire), in: 1),
            .appeared(.address(InterfaceAddress(interface: 2, address: IPAddress("192.0.2.1")!, prefixLength: 24)), in: 1),
            .counted(InterfaceID(rawValue: 1), interface: 2, in: 1),
        ])
        let flow = TestFlow(source: "192.0.2.1", destination: "10.9.0.5", sourcePort: 40_000, destinationPort: 80)
        let deltas = [flow.seen(at: 1, .egress), flow.reversed().seen(at: 1, .ingress)]
        builder.observe(.traffic(deltas))
        #expect(builder.commit(at: second(1)).keys(.endpoint).contains("external/ip/10.9.0.5"))
        builder.observe(.appeared(.link(LinkFact(index: 3, name: "br0", kind: "bridge")), in: 1))
        builder.observe(.appeared(.address(InterfaceAddress(interface: 3, address: IPAddress("10.9.0.1")!, prefixLength: 24)), in: 1))
        builder.observe(.traffic(deltas))
        let snapshot = builder.commit(at: second(2))
        #expect(!snapshot.keys(.endpoint).contains("external/ip/10.9.0.5"))
        #expect(snapshot.linkKeys(.talks) == ["link/a/init/eth0/ip/192.0.2.1~talks:tcp/80~bridge/a/init/br0/ip/10.9.0.5"])
    }
}
