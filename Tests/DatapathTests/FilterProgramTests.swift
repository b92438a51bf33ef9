import CDatapath
import CLibBPF
import CLinux
import FlowSupport
import Flows
import Glibc
import NetworkTypes
import Policy
import Synchronization
import TestSupport
import Testing

@testable import Datapath

/// Compiled policies in the kernel.
@Suite(.requires(.root), .serialized) struct FilterProgramTests {
    /// What the frames of `RandomFrames` have.
    private static var values: RandomFlows.Values {
        var values = RandomFlows.Values()
        values.addresses = ["10.0.0.1", "10.0.0.2", "10.0.1.3", "fd00::1", "fd00::2", "fd01::4", "172.31.0.1", "fd31::99"].map {
            IPAddress($0)!
        }
        values.prefixes = ["0.0.0.0/0", "10.0.0.0/30", "10.0.1.2/31", "172.16.0.0/12", "::/0", "fd00::/127", "fd01::2/127"].map {
            IPPrefix($0)!
        }
        values.ports = [1024, 1025, 1026, 1027]
        values.names = ["eth0", "eth*", "veth?", "*", "nothing"]
        values.vlans = [nil, 0, 1, 2, 3]
        values.vnis = [nil, 0, 1, 2, 3]
        values.codepoints = [0, 8, 46]
        return values
    }
    private static let sets: [String: [IPPrefix]] = [
        "few": ["10.0.0.0/31", "fd00::1/128"].map { IPPrefix($0)! },
        "many": ["10.0.0.2/32", "10.0.1.0/31", "10.0.1.1/32", "172.31.0.0/30", "fd01::/126", "fd31::/64"].map { IPPrefix($0)! }
            + (0..<2000).map { IPPrefix(.v4(0x0B00_0000 | UInt32($0) << 8), length: 24)! },
        "none": [],
    ]

    /// What a flow's latest packet showed.
    private struct Shown {
        var dscp: UInt8
        var tcpFlags: UInt16
    }

    private static func rules(_ flows: inout RandomFlows, _ interface: InterfaceID) -> [KernelRule] {
        (0..<Int.random(in: 3...8, using: &flows.random)).map { n in
            let kind = flows.pick(RuleKind.allCases)
            return KernelRule(
                name: "r\(n)", kind: kind, index: Int.random(in: kind.kernelIndices, using: &flows.random),
                scope: RuleScope(
                    direction: flows.pick([nil, nil, nil, .ingress, .egress]), filter: FlowFilter(flows.expression(depth: 3))),
                interfaces: flows.chance(80) ? [interface, InterfaceID(rawValue: 1)] : [InterfaceID(rawValue: 1)])
        }
    }

    /// What the rules come to for a packet, by the definition of the filter language.
    private static func verdict(_ rules: [KernelRule], _ key: FlowKey, _ shown: Shown, _ names: [InterfaceID: String]) -> [UInt32] {
        let traits = FlowTraits(
            first: Timestamp(nanoseconds: 0), last: Timestamp(nanoseconds: 0), tcpFlags: TCPFlags(rawValue: shown.tcpFlags),
            dscp: shown.dscp)
        let record = FlowRecord(key: key, totals: Totals(), transport: TransportCounts(), traits: traits)
        let matching = rules.filter {
            $0.interfaces.contains(key.interface) && ($0.scope.direction ?? key.direction) == key.direction
                && $0.scope.filter.matches(
                    record, interfaceName: { names[$0] }, contains: { name, address in sets[name]!.contains { $0.contains(address) } })
        }
        let isMirrored = key.vni.map { $0 >= UInt32(NILO_MIRROR_VNI_FIRST) } ?? false
        func first(_ kind: RuleKind) -> UInt32 { UInt32(matching.first { $0.kind == kind }?.index ?? 0) }
        let mirrors = matching.filter { $0.kind == .mirror }.reduce(UInt32(0)) { $0 | 1 << UInt32($1.index) }
        return [isMirrored ? 0 : mirrors, isMirrored ? 0 : first(.sampler), first(.shaper)]
    }

    /// Whatever the packets and the rules, every flow's verdict is what the filter language says of its latest packet.
    @Test(arguments: [1, 2, 3] as [UInt64]) func verdictsAreThoseOfTheFilterLanguage(seed: UInt64) async throws {
        let bench = try ProgramBench(geometry: TableGeometry(flows: 4096, logRecordsPerCPU: 1024, ledgers: 64, ghosts: 1024))
        let counts = try await bench.perform { bench in
            let tables = PolicyTables(maps: bench.maps)
            let parser = ReferenceParser()
            var flows = RandomFlows(seed: seed, values: Self.values)
            var frames = RandomFrames(seed: seed)
            var (judged, applied) = (0, 0)
            for round in 0..<30 {
                try bench.begin()
                let names = [bench.interface: flows.pick(["eth0", "veth1"]), InterfaceID(rawValue: 1): "eth1"]
                let rules = Self.rules(&flows, bench.interface)
                let program = try FilterCompiler.compile(rules, interfaces: names, prefixSets: Self.sets)
                try tables.replace(program)
                try bench.setRules(program.portFlags(of: bench.interface))
                var shown: [FlowKey: Shown] = [:]
                var memories: [Direction: FragmentMemory] = [.ingress: FragmentMemory(), .egress: FragmentMemory()]
                for n in 0..<150 {
                    let bytes = Self.frame(&frames, n)
                    guard bytes.count >= ProgramTestRun.leastLength(of: bytes) else { continue }
                    let direction = flows.pick(Direction.allCases)
                    let frame = memories[direction]!.resolve(parser.parse(bytes))
                    let key = frame.keyBytes(
                        interface: bench.interface.rawValue, direction: direction == .ingress ? NILO_INGRESS : NILO_EGRESS)
                    shown[key.withUnsafeBytes { FlowKey(copying: $0.baseAddress!) }] = Shown(
                        dscp: frame.network?.dscp ?? 0, tcpFlags: frame.tcp?.flags.rawValue ?? 0)
                    try bench.send(bytes, direction)
                }
                for (key, found) in try bench.rememberedVerdicts.flows(bench.interface) {
                    let latest = try #require(shown[key], "\(key) was not sent, seed \(seed)")
                    let isPoint = program.points.contains(.init(key.interface, key.direction))
                    let wanted = Self.verdict(rules, key, latest, names)
                    #expect(isPoint || wanted == [0, 0, 0], "\(rules), \(key), seed \(seed) round \(round)")
                    guard isPoint else { continue }
                    #expect(
                        found.generation == (try tables.generation) && found.words == wanted,
                        "\(rules), \(key), \(latest): \(found.words), wanted \(wanted); seed \(seed) round \(round)")
                    judged += 1
                    applied += wanted == [0, 0, 0] ? 0 : 1
                }
            }
            return (judged, applied)
        }
        #expect(counts.0 > 1000 && counts.1 > 500)
    }

    /// Frames of all shapes, some damaged, some from another host's mirror.
    private static func frame(_ frames: inout RandomFrames, _ n: Int) -> [UInt8] {
        if n % 5 == 4 { return frames.damaged(oneIn: 2) }
        let frame = frames.frame()
        guard n % 23 == 22 else { return frame.bytes }
        return frame.inVXLAN(vni: UInt32(NILO_MIRROR_VNI_FIRST) + 3, from: "172.31.0.1", to: "172.31.0.99", sourcePort: 1024).bytes
    }

    /// Rules of all kinds with the same number, for packets from 11.0.0.1 to 12.0.0.1, told by thousands of prefixes, which are others for
    /// every number.
    private static func program(_ number: Int, _ interface: InterfaceID) throws -> FilterProgram {
        func set(_ block: UInt32) -> [IPPrefix] {
            [IPPrefix(.v4(block << 24), length: 24)!]
                + (0..<2500).map { IPPrefix(.v4((block + 2) << 24 | UInt32($0 * 31 + number) << 7), length: 25)! }
        }
        let sets = ["s11": set(11), "s12": set(12)]
        let filter = try FlowFilter(parsing: "src net @s11 and dst net @s12", prefixSets: Set(sets.keys))
        let rules = RuleKind.allCases.map {
            KernelRule(name: "\($0)", kind: $0, index: number, scope: RuleScope(filter: filter), interfaces: [interface])
        }
        return try FilterCompiler.compile(rules, interfaces: [interface: "eth0"], prefixSets: sets)
    }

    /// Over and over another policy, while packets of one flow come: each is judged by one whole policy, and from the return of `replace`
    /// on by the new one.
    @Test func aPolicyIsInForceAtOnceAndWhole() async throws {
        let bench = try ProgramBench()
        let (interface, ingress, verdicts) = await (bench.interface, bench.ingress, bench.rememberedVerdicts)
        let own = Frame(EthernetHeader(), IPv4Header(from: "11.0.0.1", to: "12.0.0.1"), UDPHeader()).bytes
        let programs = try (1...8).map { try Self.program($0, interface) }
        let flips = Flips()
        // On a CPU of its own, so that the flow is in one slot and nobody else writes there.
        let cpu: Int32 = sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 ? 1 : 0
        async let sent = onOwnThread { () throws -> Int in
            guard lx_pin_to_cpu(cpu) == 0 else { throw SystemError("pin to CPU \(cpu)") }
            var slot: UInt32?
            var sent = 0
            while !flips.isOver.load(ordering: .acquiring) {
                let least = flips.inForce.load(ordering: .acquiring)
                _ = try ProgramTestRun(ingress, own)
                if least == 0 { continue }
                sent += 1
                if slot == nil { slot = try verdicts.judgedSlots().first }
                let found = try verdicts.of(try #require(slot))
                // Generation n is program n - 1, round and round.
                let number = UInt32((Int(found.generation) - 1) % 8 + 1)
                #expect(found.generation >= least && found.words == [1 << number, number, number], "\(found), at least \(least)")
            }
            return sent
        }
        let (count, longest) = try await bench.perform { bench in
            defer { flips.isOver.store(true, ordering: .releasing) }
            let tables = PolicyTables(maps: bench.maps)
            var longest = Duration.zero
            for n in 0..<120 {
                let start = ContinuousClock.now
                try tables.replace(programs[n % 8])
                longest = max(longest, ContinuousClock.now - start)
                if n == 0 { try bench.setRules(programs[0].portFlags(of: interface)) }
                flips.inForce.store(try tables.generation, ordering: .releasing)
            }
            return (try tables.generation, longest)
        }
        #expect(count == 120)
        #expect(try await sent > 1000)
        #expect(longest < .seconds(10).stretched)
    }

    @Test func theLimitsAreThoseOfTheDatapath() {
        #expect(FilterProgram.mostInstructions == Int(NILO_INSTRUCTIONS) && FilterProgram.mostPrefixes == Int(NILO_PREFIXES) / 2)
        #expect(Policy.mirrorVNIs.lowerBound == UInt32(NILO_MIRROR_VNI_FIRST))
        #expect(SampleRule.snapBounds.upperBound == Int(NILO_SNAP_MOST))
        // What is on its way in stands beside what is on its way out.
        #expect(ShapeRule.mostPrefixRates == Int(NILO_MEMBER_BUCKETS) / 2)
        #expect(RuleKind.sampler.mostRules == Int(NILO_SAMPLERS) / 2 - 1 && RuleKind.shaper.mostRules == Int(NILO_SHAPERS) / 2 - 1)
        #expect(RuleKind.mirror.kernelIndices == 0..<Int(NILO_MIRRORS))
        #expect(RuleKind.sampler.kernelIndices == 1..<Int(NILO_SAMPLERS))
        #expect(RuleKind.shaper.kernelIndices == 1..<Int(NILO_SHAPERS))
    }
}

private final class Flips: Sendable {
    /// Generation that was put in force last; 0: none.
    let inForce = Atomic<UInt32>(0)
    let isOver = Atomic<Bool>(false)
}

extension nilo_remembered {
    /// Mirrors, sampler, shaper.
    fileprivate var words: [UInt32] { [verdict.mirrors, UInt32(verdict.sampler), UInt32(verdict.shaper)] }
}

/// The verdicts of the slots, read from any thread.
private struct RememberedVerdicts {
    let map: Int32
    let slotMap: Int32
    let slots: UInt32

    func of(_ slot: UInt32) throws -> nilo_remembered {
        var key = slot
        var remembered = nilo_remembered()
        try check(bpf_map_lookup_elem(map, &key, &remembered), "read a verdict")
        return remembered
    }

    /// With the flows of an interface.
    func flows(_ interface: InterfaceID) throws -> [(FlowKey, nilo_remembered)] {
        let size = Int(slots) * MemoryLayout<nilo_flow_slot>.stride
        guard let memory = mmap(nil, size, PROT_READ, MAP_SHARED, slotMap, 0), memory != MAP_FAILED else {
            throw SystemError("mmap nilo_slots")
        }
        defer { munmap(memory, size) }
        var found: [(FlowKey, nilo_remembered)] = []
        for index in 0..<slots {
            let slot = memory + Int(index) * MemoryLayout<nilo_flow_slot>.stride
            let key = FlowKey(copying: slot + MemoryLayout<nilo_flow_slot>.offset(of: \.key)!)
            if slot.load(as: nilo_flow_slot.self).skbs > 0, key.interface == interface { found.append((key, try of(index))) }
        }
        return found
    }

    func judgedSlots() throws -> [UInt32] { try (0..<slots).filter { try of($0).generation != 0 } }
}

extension ProgramBench {
    fileprivate var rememberedVerdicts: RememberedVerdicts {
        RememberedVerdicts(
            map: maps.descriptor("nilo_verdicts"), slotMap: maps.descriptor("nilo_slots"), slots: UInt32(maps.config.slotCount))
    }
}
