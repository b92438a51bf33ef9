import CDatapath
import NetworkTypes
import TestSupport
import Testing

@testable import Datapath

/// The filter program and its walk, without the stages.
@Suite(.requires(.root), .serialized) struct PolicyTablesTests {
    private static let rules = NILO_PORT_RULES_INGRESS.rawValue | NILO_PORT_RULES_EGRESS.rawValue

    private static func test(
        _ operation: nilo_operation, _ field: UInt32, _ low: UInt32, _ high: UInt32 = 0, true onTrue: UInt16, false onFalse: UInt16
    ) -> nilo_instruction {
        var instruction = nilo_instruction()
        instruction.operation = UInt8(operation.rawValue)
        instruction.field = UInt8(field)
        instruction.on_true = onTrue
        instruction.on_false = onFalse
        instruction.low = low
        instruction.high = high
        return instruction
    }
    /// Sampling rule `rule` applies.
    private static func sample(_ rule: UInt32, then next: UInt16) -> nilo_instruction {
        test(NILO_OP_SAMPLE, 0, rule, true: next, false: next)
    }
    private static let end = nilo_instruction()
    private static let udp = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 10)).bytes

    @Test func aFlowIsJudgedOnceAndAgainByEachPolicy() async throws {
        let bench = try ProgramBench()
        try await bench.perform { bench in
            let tables = PolicyTables(maps: bench.maps)
            #expect(try tables.generation == 0)
            try bench.setRules(Self.rules)
            try bench.send(Self.udp, times: 3)
            #expect(try bench.verdicts().isEmpty)
            for rule: UInt32 in [5, 6] {
                try tables.replace([
                    Self.test(NILO_OP_RANGE, NILO_FIELD_PROTOCOL.rawValue, 17, 17, true: 1, false: 2), Self.sample(rule, then: 2), Self.end,
                ])
                try bench.send(Self.udp, times: 2)
                #expect(try bench.verdicts().map(\.sampler) == [UInt16(rule)])
            }
            try tables.replace([Self.end])
            try bench.send(Self.udp)
            #expect(try bench.verdicts().isEmpty)
            try bench.collect()
            #expect(bench.flows().map(\.totals.skbs) == [8])
        }
    }

    @Test func theFirstRuleOfAKindApplies() async throws {
        let bench = try ProgramBench()
        try await bench.perform { bench in
            try bench.setRules(Self.rules)
            try PolicyTables(maps: bench.maps).replace([
                Self.test(NILO_OP_MIRROR, 0, 3, true: 1, false: 1), Self.test(NILO_OP_MIRROR, 0, 31, true: 2, false: 2),
                Self.sample(2, then: 3), Self.sample(1, then: 4), Self.test(NILO_OP_SHAPE, 0, 9, true: 5, false: 5),
                Self.test(NILO_OP_SHAPE, 0, 8, true: 6, false: 6), Self.end,
            ])
            try bench.send(Self.udp)
            let verdict = try #require(try bench.verdicts().first)
            #expect(verdict.mirrors == 1 << 3 | 1 << 31 && verdict.sampler == 2 && verdict.shaper == 9)
        }
    }

    @Test func setsHoldAddressesOfBothFamilies() async throws {
        let bench = try ProgramBench()
        try await bench.perform { bench in
            try bench.setRules(Self.rules)
            let many = (0..<5000).map { PolicyTables.SetMember(set: 7, IPPrefix(.v4(0x0B00_0000 | UInt32($0) << 8), length: 24)!) }
            let sets = many + [.init(set: 7, IPPrefix("2001:db8::/32")!), .init(set: 8, IPPrefix("0.0.0.0/0")!)]
            try PolicyTables(maps: bench.maps).replace(
                [
                    Self.test(NILO_OP_SET, NILO_ADDRESS_SOURCE.rawValue, 7, true: 1, false: 2), Self.sample(1, then: 2), Self.end,
                ], sets: sets)
            func isInSet(_ frame: Frame, _ bench: isolated ProgramBench) throws -> Bool {
                try bench.begin()
                try bench.setRules(Self.rules)
                let before = try bench.verdicts().count
                try bench.send(frame)
                return try bench.verdicts().count > before
            }
            func from(_ source: String) -> Frame { Frame(EthernetHeader(), IPv4Header(from: source), UDPHeader()) }
            func from6(_ source: String) -> Frame { Frame(EthernetHeader(), IPv6Header(from: source), UDPHeader()) }
            #expect(try isInSet(from("11.0.0.1"), bench) && isInSet(from("11.19.135.255"), bench))
            #expect(try !isInSet(from("11.19.136.0"), bench) && !isInSet(from("10.255.255.255"), bench))
            #expect(try isInSet(from6("2001:db8:ffff::1"), bench) && !isInSet(from6("2001:db9::1"), bench))
        }
    }

    @Test func flagsOfThePacketAreAskedEachTime() async throws {
        let bench = try ProgramBench()
        try await bench.perform { bench in
            try bench.setRules(Self.rules)
            try PolicyTables(maps: bench.maps).replace(
                [
                    Self.test(NILO_OP_BITS, NILO_FIELD_TCP_FLAGS.rawValue, 2, 2, true: 1, false: 2), Self.sample(1, then: 2), Self.end,
                ], uses: NILO_USES_TCP_FLAGS.rawValue)
            for (flags, isSampled) in [(TCPHeader.Flags.syn, true), (.ack, false), (.syn, true)] {
                try bench.send(Frame(EthernetHeader(), IPv4Header(), TCPHeader(flags)))
                #expect(try bench.verdicts().count == (isSampled ? 1 : 0))
            }
        }
    }

    @Test func portsWithoutRulesAreNotJudged() async throws {
        let bench = try ProgramBench()
        try await bench.perform { bench in
            try bench.setRules(NILO_PORT_RULES_EGRESS.rawValue)
            try PolicyTables(maps: bench.maps).replace([Self.sample(1, then: 1), Self.end])
            try bench.send(Self.udp, .ingress)
            #expect(try bench.verdicts().isEmpty)
            try bench.send(Self.udp, .egress)
            #expect(try bench.verdicts().count == 1)
        }
    }
}
