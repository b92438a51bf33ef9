import FlowSupport
import Flows
import NetworkTypes
import Policy
import Testing

@Suite struct FilterCompilerTests {
    private static let interfaces = Dictionary(uniqueKeysWithValues: RandomFlows.names.map { (InterfaceID(rawValue: $0), $1) })

    private func compile(_ texts: String..., kind: RuleKind = .mirror, direction: Direction? = nil, on: Set<UInt32>? = nil) throws
        -> FilterProgram
    {
        let rules = try texts.enumerated().map { n, text in
            let filter = try FlowFilter(parsing: text, prefixSets: Set(RandomFlows.prefixSets.keys))
            return KernelRule(
                name: "rule-\(n)", kind: kind, index: n + kind.kernelIndices.lowerBound,
                scope: RuleScope(direction: direction, filter: filter),
                interfaces: on.map { Set($0.map { InterfaceID(rawValue: $0) }) } ?? Set(Self.interfaces.keys))
        }
        return try FilterCompiler.compile(rules, interfaces: Self.interfaces, prefixSets: RandomFlows.prefixSets)
    }

    /// A person can follow it.
    @Test func listing() throws {
        let text = try compile("tcp dst port 443 and net 10.0.0.0/8", direction: .ingress, on: [1]).listing.joined(separator: "\n")
        for part in [
            "0: ", "protocol = tcp ? ", "destination port = 443 ? ", "source in 10.0.0.0/8 ? ", "ethertype = ip ? ",
            "the rule applies, go to ",
        ] {
            #expect(text.contains(part), "\(part) is not in\n\(text)")
        }
        #expect(text.hasSuffix(": end"), "\(text)")
    }

    /// Whatever the rules and the packet: those apply whose filters match and whose places are meant, of samplers and shapers the first.
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func programsDecideAsFiltersDo(seed: UInt64) throws {
        var flows = RandomFlows(seed: seed)
        var applied = 0
        var kept = 0
        for _ in 0..<400 {
            let rules = (0..<Int.random(in: 1...7, using: &flows.random)).map { n in
                let kind = flows.pick(RuleKind.allCases)
                let meant = flows.chance(50) ? [1, 2, 3, 4, 5, 6, 7] : (1...9).filter { _ in flows.chance(40) }
                return KernelRule(
                    name: "r\(n)", kind: kind, index: n + 1,
                    scope: RuleScope(
                        direction: flows.pick([nil, nil, .ingress, .egress]), filter: FlowFilter(flows.expression(depth: 3))),
                    interfaces: Set(meant.map { InterfaceID(rawValue: UInt32($0)) }), priority: flows.pick([0, 0, 5]))
            }
            let program = try FilterCompiler.compile(rules, interfaces: Self.interfaces, prefixSets: RandomFlows.prefixSets)
            for _ in 0..<40 {
                let record = flows.record()
                let key = record.key
                let matching = rules.filter {
                    $0.interfaces.contains(key.interface) && Self.interfaces[key.interface] != nil
                        && ($0.scope.direction ?? key.direction) == key.direction
                        && $0.scope.filter.matches(record, interfaceName: RandomFlows.name, contains: RandomFlows.contains)
                }
                guard program.points.contains(.init(key.interface, key.direction)) else {
                    #expect(matching.isEmpty, "\(rules) over \(record), seed \(seed)")
                    continue
                }
                let walk = FilterWalk(program, record)
                let mirrors = matching.filter { $0.kind == .mirror }.map(\.index)
                #expect(walk.applied[.mirror]?.sorted() ?? [] == mirrors, "\(rules) over \(record), seed \(seed)")
                for kind in [RuleKind.sampler, .shaper] {
                    let first = matching.first { $0.kind == kind }.map { [$0.index] } ?? []
                    #expect(walk.applied[kind] ?? [] == first, "\(rules) over \(record), seed \(seed)")
                }
                applied += matching.count
                kept += 1
            }
        }
        #expect(kept > 10_000 && applied > 8000)
    }

    @Test func placesAreThoseWhereARuleMayApply() throws {
        func points(_ text: String, direction: Direction? = nil, on: Set<UInt32>? = nil) throws -> Set<FilterProgram.Point> {
            try compile(text, direction: direction, on: on).points
        }
        func both(_ ids: UInt32...) -> Set<FilterProgram.Point> {
            Set(ids.flatMap { id in Direction.allCases.map { .init(InterfaceID(rawValue: id), $0) } })
        }
        #expect(try points("tcp", on: [1, 2, 99]) == both(1, 2))
        #expect(try points("tcp and ingress", direction: .egress).isEmpty)
        #expect(try points("interface veth* and not interface veth1") == both(3))
        #expect(try points("not (egress or not interface eth0)") == [.init(InterfaceID(rawValue: 1), .ingress)])
        #expect(try points("interface eth0 and egress or udp", on: [2]) == both(2))
        #expect(try points("net @none and tcp").isEmpty)
        #expect(try compile("net @none and tcp").instructions == [.end])
    }

    /// Places that are given by the rule's scope are not asked for again.
    @Test func constantsAreFolded() throws {
        #expect(try compile("").instructions == [.apply(.mirror, 0, next: 1), .end])
        #expect(try compile("interface * and (ingress or egress)", on: nil).instructions.count <= 4)
        #expect(
            try compile("ingress and interface eth0", direction: .ingress, on: [1]).instructions == [
                .test(.range(.direction, 0...0), onTrue: 1, onFalse: 3), .test(.range(.interface, 1...1), onTrue: 2, onFalse: 3),
                .apply(.mirror, 0, next: 3), .end,
            ])
        // Ids 2 and 3 are one range.
        #expect(try compile("interface veth*").instructions.first == .test(.range(.interface, 2...3), onTrue: 1, onFalse: 2))
    }

    @Test func listsAreBroughtTogether() throws {
        let ports = try compile("outer (tcp port 80 or tcp port 81 or tcp port 82)")
        #expect(
            ports.instructions == [
                .test(.range(.form(.outer), 1...1), onTrue: 1, onFalse: 5),
                .test(.range(.ipProtocol(.outer), 6...6), onTrue: 2, onFalse: 5),
                .test(.range(.sourcePort(.outer), 80...82), onTrue: 4, onFalse: 3),
                .test(.range(.destinationPort(.outer), 80...82), onTrue: 4, onFalse: 5),
                .apply(.mirror, 0, next: 5), .end,
            ])
        let nets = try compile("outer src net 10.1.0.0/16 or outer src net 10.2.0.0/16")
        #expect(nets.prefixSets.isEmpty)
        let many = try compile(
            "outer (src host 10.0.0.1 or src host 10.0.0.2 or src net 10.1.0.0/16 or src net 10.1.2.0/24 or src net 2001:db8::/32 "
                + "or src host 192.0.2.1)")
        #expect(many.prefixSets.map(\.count) == [5])
        #expect(many.instructions.count == 5)
        // The same list is the same set, whoever names it.
        let shared = try compile("src net @many", "dst net @many", "not net @many")
        #expect(shared.prefixSets.count == 1)
        let minimal = ["10.0.0.2/32", "10.0.1.0/24", "172.16.0.0/12", "192.0.0.0/8", "2001:db8::2/128", "fe80::/10"].map { IPPrefix($0)! }
        #expect(shared.prefixSets[0] == minimal)
        #expect(try compile("net @few").prefixSets.isEmpty)
    }

    /// What was asked on the way is not asked again: no walk makes the same test twice, and a long list shares its first tests.
    @Test func jumpsSkipWhatIsKnown() throws {
        let program = try compile("outer (tcp port 80 or tcp port 443 or tcp src port 8080)", "outer tcp port 22", kind: .sampler)
        let forms = program.instructions.filter { if case .test(.range(.form, _), _, _) = $0 { true } else { false } }
        // A packet without ports meets one test; so does one of another protocol.
        #expect(forms.count <= 2)
        var flows = RandomFlows(seed: 3)
        for _ in 0..<500 {
            let record = flows.record()
            let walk = FilterWalk(program, record)
            if record.key.outer.form != .ports { #expect(walk.steps == 2) }
            if record.key.outer.form == .ports, record.key.outer.protocol != .tcp { #expect(walk.steps == 3) }
        }
    }

    @Test func packetFieldsInUseAreTold() throws {
        #expect(try !compile("tcp").usesDSCP && !compile("tcp").usesTCPFlags)
        #expect(try compile("dscp ef").usesDSCP)
        #expect(try compile("not tcp flags syn").usesTCPFlags)
        // What cannot be reached does not count.
        #expect(try !compile("dscp ef and ingress and egress").usesDSCP)
    }

    @Test func mirrorsComeInOrderOfPriority() throws {
        let rules = [3, 9, 3].enumerated().map { n, priority in
            KernelRule(
                name: "m\(n)", kind: .mirror, index: n, scope: RuleScope(), interfaces: Set(Self.interfaces.keys), priority: priority)
        }
        let program = try FilterCompiler.compile(rules, interfaces: Self.interfaces)
        #expect(program.instructions == [.apply(.mirror, 1, next: 1), .apply(.mirror, 0, next: 2), .apply(.mirror, 2, next: 3), .end])
    }

    /// What is told of a flow later is nothing that a program can ask for.
    @Test func applicationsAreForQuestions() throws {
        let error = #expect(throws: FilterCompilerError.self) { try compile("tcp", "udp or not app http") }
        #expect(error?.rule == "rule-1" && error?.reason.contains("app is known only after") == true)
    }

    /// Beyond what the kernel holds, the rule that takes most is named.
    @Test func theLimitsNameARule() throws {
        func rule(_ name: String, _ index: Int, ports: Int) -> KernelRule {
            let odd = (0..<ports).map { UInt16($0 * 2 + 1) }
            let parts = odd.map { FlowFilter.Expression.packet(.port(.either, $0...$0, nil)) }
            return KernelRule(
                name: name, kind: .shaper, index: index, scope: RuleScope(filter: FlowFilter(.any(parts))),
                interfaces: [InterfaceID(rawValue: UInt32(index % 7 + 1))])
        }
        var rules = (1...20).map { rule("small-\($0)", $0, ports: 40) }
        #expect(throws: Never.self) { try FilterCompiler.compile(rules, interfaces: Self.interfaces) }
        rules.append(rule("large", 21, ports: 400))
        rules += (22...60).map { rule("small-\($0)", $0, ports: 40) }
        let error = #expect(throws: FilterCompilerError.self) { try FilterCompiler.compile(rules, interfaces: Self.interfaces) }
        #expect(error?.rule == "large")
        #expect(error?.reason.contains("4096 are possible") == true)

        let prefixes = (0..<70_000).map { IPPrefix(.v4(UInt32($0) << 8), length: 24)! }
        let big = KernelRule(
            name: "big", kind: .mirror, index: 0, scope: RuleScope(filter: FlowFilter(.packet(.netSet(.either, "big")))),
            interfaces: [InterfaceID(rawValue: 1)])
        let full = #expect(throws: FilterCompilerError.self) {
            try FilterCompiler.compile([big], interfaces: Self.interfaces, prefixSets: ["big": prefixes])
        }
        #expect(full?.rule == "big")
    }
}
