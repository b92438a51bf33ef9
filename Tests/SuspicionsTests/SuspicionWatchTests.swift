import Flows
import NetworkTypes
import Sketches
import TestSupport
import Testing

@testable import Suspicions

@Suite struct SuspicionWatchTests {
    static let scanner = TrafficScene.address(203, 0, 113, 9)
    static let victim = TrafficScene.address(10, 0, 0, 10)

    private func learnt(seed: UInt64 = 1, seconds: Int = 90) -> TrafficScene {
        var scene = TrafficScene(seed: seed)
        for _ in 0..<seconds {
            scene.ordinarySecond()
            scene.turn()
        }
        #expect(scene.told.isEmpty, "\(scene.told)")
        return scene
    }

    /// Twenty minutes of each, with a backup of 12 MB/s in the middle.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func anOrdinaryLoadIsNotSuspicious(seed: UInt64) {
        var scene = TrafficScene(seed: seed)
        for second in 0..<1200 {
            scene.ordinarySecond(backup: (300..<700).contains(second) ? 12_000_000 : 0)
            scene.turn()
        }
        #expect(scene.told.isEmpty, "\(scene.told)")
    }

    @Test(arguments: ["closed", "filtered", "open"]) func aPortScanIsSeenInItsSecond(ports: String) throws {
        var scene = learnt()
        scene.ordinarySecond()
        for port in 1...1000 {
            let flags: TCPFlags = ports == "open" ? [.syn, .ack, .rst] : .syn
            scene.flow(Self.scanner, 40_000, Self.victim, UInt16(port), .tcp, flags, bytes: 60)
            if ports == "closed" { scene.flow(Self.victim, UInt16(port), Self.scanner, 40_000, .tcp, [.rst, .ack], direction: .egress) }
        }
        let found = scene.turn()
        let scan = try #require(found.first)
        #expect(found.count == 1 && scan.kind == .portScan && scan.phase == .began && scan.subject.source == Self.scanner)
        #expect(scan.contributors.first?.address == Self.victim)
        let tried = try #require(scan.evidence.first { $0.name == "tried in vain" })
        #expect((tried.low...tried.high).contains(1000), "\(tried)")
        // It ends, once, and does not begin anew.
        for _ in 0..<60 {
            scene.ordinarySecond()
            scene.turn()
        }
        #expect(scene.told.map(\.phase) == [.began, .ended] && scene.told[1].id == scan.id, "\(scene.told)")
    }

    /// One port a second: after a hundred and a few.
    @Test func aSlowScanIsSeen() throws {
        var scene = learnt()
        let start = scene.second
        for port in 1...200 {
            scene.ordinarySecond()
            scene.flow(Self.scanner, 40_000, Self.victim, UInt16(port), .tcp, .syn)
            if let found = scene.turn().first {
                #expect(found.kind == .portScan)
                break
            }
        }
        #expect(scene.told.count == 1)
        #expect((90...130).contains(scene.second - start), "\(scene.second - start) s")
    }

    @Test(arguments: [NetworkTypes.IPProtocol.tcp, .udp]) func anAddressScanIsSeen(proto: NetworkTypes.IPProtocol) throws {
        var scene = learnt()
        for host in 1..<250 {
            scene.flow(
                Self.victim, 45_000, TrafficScene.address(10, 9, 0, UInt32(host)), 445, proto, proto == .tcp ? .syn : [], direction: .egress
            )
        }
        let found = scene.turn()
        #expect(found.count == 1 && found.first?.kind == .addressScan && found.first?.subject.source == Self.victim, "\(found)")
        #expect(found.first?.contributors.first?.port == 445)
    }

    /// A resolver asks hundreds of servers; a client of a swarm tries many peers that are gone, each at a port of
    /// its own; a crawler has thousands of connections, some of which fail.
    @Test func busyClientsAreNoScanners() {
        var scene = learnt()
        for second in 0..<120 {
            scene.ordinarySecond()
            let resolver = TrafficScene.address(10, 0, 0, 2)
            for _ in 0..<200 {
                let server = TrafficScene.address(
                    198, UInt32(scene.roll(0..<200)), UInt32(scene.roll(0..<200)), UInt32(scene.roll(1..<250)))
                let port = scene.ephemeral()
                scene.flow(resolver, port, server, 53, .udp, direction: .egress, bytes: 80)
                if !scene.random.once(in: 6) { scene.flow(server, 53, resolver, port, .udp, bytes: 300) }
            }
            for _ in 0..<20 {
                let peer = TrafficScene.address(77, UInt32(scene.roll(0..<250)), UInt32(scene.roll(0..<250)), UInt32(scene.roll(1..<250)))
                scene.flow(
                    TrafficScene.address(10, 0, 0, 44), scene.ephemeral(), peer, UInt16(scene.roll(1025..<65_000)), .tcp, .syn,
                    direction: .egress)
            }
            let crawler = TrafficScene.address(10, 0, 0, 45)
            for n in 0..<100 {
                let server = TrafficScene.address(151, UInt32(second), UInt32(n), 7)
                if n % 5 == 0 {
                    scene.flow(crawler, scene.ephemeral(), server, 443, .tcp, .syn, direction: .egress)
                } else {
                    scene.connection(crawler, scene.ephemeral(), server, 443)
                }
            }
            scene.turn()
        }
        #expect(scene.told.allSatisfy { $0.kind == .cardinalityJump } && scene.told.count <= 3, "\(scene.told)")
    }

    @Test(arguments: [true, false]) func aFloodOfOpeningsIsSeen(isSpoofed: Bool) throws {
        var scene = learnt()
        for _ in 0..<3 {
            scene.ordinarySecond()
            for n in 0..<2000 {
                let madeUp = TrafficScene.address(UInt32(scene.roll(1..<200)), UInt32(n & 255), UInt32(n >> 8), 1)
                let source = isSpoofed ? madeUp : Self.scanner
                scene.flow(source, scene.ephemeral(), Self.victim, 80, .tcp, .syn)
            }
            scene.turn()
        }
        let floods = scene.told.filter { $0.kind == .synFlood }
        #expect(floods.count == 1 && floods[0].subject.destination == Self.victim && scene.told.count == 1, "\(scene.told)")
        let evenness = try #require(floods[0].evidence.first { $0.name == "evenness of sources" })
        #expect(isSpoofed ? evenness.value > 0.9 : evenness.value < 0.1)
    }

    /// A busy server, of whose new connections some are always under way.
    @Test func manyConnectionsAreNoFlood() {
        var scene = learnt(seconds: 2)
        for _ in 0..<30 {
            for n in 0..<3000 {
                let client = TrafficScene.address(100, UInt32(scene.roll(0..<10)), UInt32(scene.roll(0..<20)), UInt32(scene.roll(1..<100)))
                if n % 8 == 0 {
                    scene.flow(client, scene.ephemeral(), Self.victim, 443, .tcp, .syn)
                } else {
                    scene.connection(client, scene.ephemeral(), Self.victim, 443, received: 2000, outwards: false)
                }
            }
            scene.turn()
        }
        #expect(scene.told.isEmpty, "\(scene.told)")
    }

    /// 100 conversations of 50 kB/s, and one of 5 % more that nothing comes back of.
    @Test func aHeavyHitterIsSeenInASecondAndBecomesOrdinary() throws {
        var scene = TrafficScene(seed: 4)
        func background(_ scene: inout TrafficScene) {
            for n in 0..<100 {
                scene.flow(
                    TrafficScene.address(10, 1, 0, UInt32(n)), 443, TrafficScene.address(10, 2, 0, UInt32(n)), 50_000, .tcp,
                    [.syn, .ack], packets: 40, bytes: 50_000)
            }
        }
        for _ in 0..<60 {
            background(&scene)
            scene.turn()
        }
        #expect(scene.told.isEmpty)
        for second in 0..<700 {
            background(&scene)
            scene.flow(Self.scanner, 5000, Self.victim, 9, .udp, packets: 300, bytes: 400_000)
            let found = scene.turn()
            if second == 0 {
                #expect(found.map(\.kind) == [.heavyHitter] && found[0].subject.source == Self.scanner, "\(found)")
            }
        }
        #expect(scene.told.last?.phase == .ended && scene.told.count { $0.phase == .began } == 1)
    }

    /// What is new but of the size that is usual is nothing; nor is what is large in an interface that next to nothing is known of.
    @Test func aNewDownloadIsNoHeavyHitter() {
        var scene = learnt()
        scene.connection(Self.victim, 50_000, TrafficScene.address(151, 101, 1, 1), 443, received: 6_000_000)
        scene.turn()
        #expect(scene.told.isEmpty, "\(scene.told)")
        var fresh = TrafficScene(seed: 8)
        fresh.connection(Self.victim, 50_000, TrafficScene.address(151, 101, 1, 1), 443, received: 600_000_000)
        fresh.turn()
        #expect(fresh.told.isEmpty)
    }

    @Test func aJumpInSourcesIsSeen() throws {
        var scene = learnt()
        for second in 0..<4 {
            scene.ordinarySecond()
            for n in 0..<2000 {
                scene.flow(TrafficScene.address(60, UInt32(second), UInt32(n >> 8), UInt32(n & 255)), 40_000, Self.victim, 4000, .udp)
            }
            scene.turn()
        }
        let jump = try #require(scene.told.first { $0.kind == .cardinalityJump })
        #expect(jump.subject.counted == .sources, "\(scene.told)")
        #expect(jump.evidence[0].low <= 2100 && jump.evidence[0].high >= 2000, "\(jump.evidence)")
    }

    /// Nothing of a flood of made-up sources makes it slow or large: bounded states, and a scan amid it is found.
    @Test func aScanAmidAFloodIsSeen() {
        var scene = learnt()
        for second in 0..<3 {
            for n in 0..<40_000 {
                scene.flow(.v4(UInt32(truncatingIfNeeded: scene.random.next())), scene.ephemeral(), Self.victim, 80, .tcp, .syn)
                if n % 40 == 0 { scene.flow(Self.scanner, 40_000, Self.victim, UInt16(1 + second * 1000 + n / 40), .tcp, .syn) }
            }
            scene.turn()
        }
        #expect(Set(scene.told.map(\.kind)) == [.synFlood, .portScan], "\(scene.told.map { ($0.kind, $0.subject) })")
    }

    @Test func whatHasNoFlowIsEstimated() throws {
        var scene = learnt()
        var sketch = TrafficSketch()
        func add(_ source: IPAddress, _ destination: IPAddress, _ port: UInt16) {
            let (a, b, hash) = (source.fieldWords, destination.fieldWords, scene.hash)
            let (from, to, at) = (hash(a.0, a.1), hash(b.0, b.1), hash(UInt64(port.byteSwapped)))
            sketch.packets += 1
            sketch.sources.add(from)
            sketch.destinations.add(to)
            sketch.ports.add(at)
            sketch.bySource.add(.init(address: SIMD2(a.0, a.1), host: from, peer: to, port: at, isOpening: true, opens: true))
            sketch.byDestination.add(.init(address: SIMD2(b.0, b.1), host: to, peer: from, port: at, isOpening: true, opens: true))
        }
        for n in 0..<50_000 {
            add(.v4(UInt32(truncatingIfNeeded: scene.random.next())), Self.victim, 80)
            if n % 50 == 0 { add(Self.scanner, TrafficScene.address(10, 0, 0, 77), UInt16(1 + n / 50)) }
        }
        scene.overflow = sketch
        let found = scene.turn()
        #expect(found.contains { $0.kind == .synFlood && $0.subject.destination == Self.victim }, "\(found)")
        #expect(found.contains { $0.kind == .portScan && $0.subject.source == Self.scanner }, "\(found)")
        #expect(found.count == 2, "\(found)")
    }
}
