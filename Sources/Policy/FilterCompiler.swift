import Flows
import NetworkTypes

/// Why the filters of a policy cannot be one program.
public struct FilterCompilerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule that asks for most.
    public var rule: String
    public var reason: String
    public var hint: String

    public var description: String { "\(rule): \(reason)" }
}

/// Compiles the scopes of all rules into one program: short-circuit evaluation of and, or, not by jumps, after S. McCanne and V. Jacobson,
/// "The BSD Packet Filter" (USENIX Winter 1993).
///
/// Works from the end: a test is made once both places it may jump to are there, so every jump leads forward. Equal tests with equal
/// continuations are one. A jump to a test whose result is known on that path goes on to where that test would lead.
public struct FilterCompiler {
    private enum Node: Hashable {
        case test(FilterProgram.Test, onTrue: Int, onFalse: Int)
        case apply(RuleKind, Int, next: Int)
        case end
    }

    /// Jumps lead to lower numbers.
    private var nodes: [Node] = [.end]
    private var numbers: [Node: Int] = [.end: 0]

    /// Compiles rules into a program. Those of one kind stand in the order of precedence; mirrors are put in order of priority.
    ///
    /// - Parameters:
    ///   - interfaces: the names of all interfaces that are counted. Rules for others have no effect.
    ///   - prefixSets: those that filters name; one that is not there is empty.
    public static func compile(_ rules: [KernelRule], interfaces: [InterfaceID: String], prefixSets: [String: [IPPrefix]] = [:])
        throws(FilterCompilerError) -> FilterProgram
    {
        if let rule = rules.first(where: { $0.scope.filter.namesApplications }) {
            throw FilterCompilerError(
                rule: rule.name, reason: "app is known only after a flow's first packets, which a rule decides about as well",
                hint: "app is for questions (nilo flows 'app http'); a rule takes addresses, protocols and ports")
        }
        if let rule = rules.first(where: { $0.scope.filter.namesNamespaces }) {
            throw FilterCompilerError(
                rule: rule.name, reason: "a rule's match takes interfaces by their names alone",
                hint: "on takes NAMESPACE:NAME")
        }
        var compiler = FilterCompiler()
        var lowering = FilterLowering(interfaces: interfaces, prefixSets: prefixSets)
        var points: Set<FilterProgram.Point> = []
        var longest: (rule: String, count: Int) = ("", 0)
        var largest: (rule: String, count: Int) = ("", 0)
        var next = 0
        for kind in RuleKind.allCases.reversed() {
            var entry = next
            for rule in inOrder(rules, kind).reversed() {
                precondition(kind.kernelIndices.contains(rule.index), "no \(kind) has the index \(rule.index)")
                let (nodesBefore, prefixesBefore) = (compiler.nodes.count, lowering.sets.prefixCount)
                let condition = lowering.condition(of: rule)
                // Every mirror is asked; of samplers and shapers the first that matches is the only one.
                let applied = compiler.number(of: .apply(kind, rule.index, next: kind == .mirror ? entry : next))
                entry = compiler.emit(condition, applied, entry, FilterKnowledge())
                points.formUnion(lowering.points)
                let nodes = compiler.nodes.count - nodesBefore
                let prefixes = lowering.sets.prefixCount - prefixesBefore
                if nodes > longest.count { longest = (rule.name, nodes) }
                if prefixes > largest.count { largest = (rule.name, prefixes) }
            }
            next = entry
        }
        let program = compiler.program(from: next, lowering.sets.sets, points)
        guard program.instructions.count <= FilterProgram.mostInstructions else {
            throw FilterCompilerError(
                rule: longest.rule,
                reason: "the filters of all rules take \(program.instructions.count) instructions, "
                    + "\(FilterProgram.mostInstructions) are possible, and this rule takes most (\(longest.count))",
                hint: "prefix sets (net @NAME) take one instruction for each side, however long they are")
        }
        guard lowering.sets.prefixCount <= FilterProgram.mostPrefixes else {
            throw FilterCompilerError(
                rule: largest.rule,
                reason: "the filters of all rules name \(lowering.sets.prefixCount) prefixes, \(FilterProgram.mostPrefixes) are possible, "
                    + "and this rule adds most (\(largest.count))",
                hint: "shorter prefixes that cover several are fewer")
        }
        return program
    }

    private static func inOrder(_ rules: [KernelRule], _ kind: RuleKind) -> [KernelRule] {
        let rules = rules.filter { $0.kind == kind }
        guard kind == .mirror else { return rules }
        // Stable, which the standard library's sort does not promise.
        return rules.enumerated().sorted { ($1.element.priority, $0.offset) < ($0.element.priority, $1.offset) }.map(\.element)
    }

    private mutating func number(of node: Node) -> Int {
        if let number = numbers[node] { return number }
        numbers[node] = nodes.count
        nodes.append(node)
        return nodes.count - 1
    }

    /// Where a jump to `target` ends up given what is known.
    private func thread(_ target: Int, _ known: FilterKnowledge) -> Int {
        var target = target
        while case .test(let test, let onTrue, let onFalse) = nodes[target], let result = known.result(of: test) {
            target = result ? onTrue : onFalse
        }
        return target
    }

    /// The node that goes on to `onTrue` where the condition holds, else to `onFalse`.
    private mutating func emit(_ condition: FilterCondition, _ onTrue: Int, _ onFalse: Int, _ known: FilterKnowledge) -> Int {
        switch condition {
        case .constant(let holds): return thread(holds ? onTrue : onFalse, known)
        case .not(let part): return emit(part, onFalse, onTrue, known)
        case .test(let test):
            if let result = known.result(of: test) { return thread(result ? onTrue : onFalse, known) }
            let (yes, no) = (thread(onTrue, known.adding(test, true)), thread(onFalse, known.adding(test, false)))
            return yes == no ? yes : number(of: .test(test, onTrue: yes, onFalse: no))
        case .all(let parts):
            let knowledge = Self.knowledge(along: parts, true, known)
            var entry = onTrue
            for (part, known) in zip(parts, knowledge).reversed() { entry = emit(part, entry, onFalse, known) }
            return entry
        case .any(let parts):
            let knowledge = Self.knowledge(along: parts, false, known)
            var entry = onFalse
            for (part, known) in zip(parts, knowledge).reversed() { entry = emit(part, onTrue, entry, known) }
            return entry
        }
    }

    /// What is known when each of the parts is come to, all before it having come out as `result`.
    private static func knowledge(along parts: [FilterCondition], _ result: Bool, _ known: FilterKnowledge) -> [FilterKnowledge] {
        var known = known
        return parts.map { part in
            defer {
                switch part {
                case .test(let test): known = known.adding(test, result)
                case .not(.test(let test)): known = known.adding(test, !result)
                default: break
                }
            }
            return known
        }
    }

    /// What can be reached, first things first.
    private func program(from entry: Int, _ sets: [[IPPrefix]], _ points: Set<FilterProgram.Point>) -> FilterProgram {
        var isReached = [Bool](repeating: false, count: nodes.count)
        isReached[entry] = true
        for number in stride(from: entry, through: 0, by: -1) where isReached[number] {
            switch nodes[number] {
            case .test(_, let onTrue, let onFalse): (isReached[onTrue], isReached[onFalse]) = (true, true)
            case .apply(_, _, let next): isReached[next] = true
            case .end: break
            }
        }
        let order = stride(from: entry, through: 0, by: -1).filter { isReached[$0] }
        var places = [Int](repeating: 0, count: nodes.count)
        for (place, number) in order.enumerated() { places[number] = place }
        var program = FilterProgram(instructions: [], prefixSets: sets, points: points, usesDSCP: false, usesTCPFlags: false)
        for number in order {
            switch nodes[number] {
            case .test(let test, let onTrue, let onFalse):
                switch test {
                case .range(.dscp, _), .bits(.dscp, _, _): program.usesDSCP = true
                case .range(.tcpFlags, _), .bits(.tcpFlags, _, _): program.usesTCPFlags = true
                default: break
                }
                program.instructions.append(.test(test, onTrue: places[onTrue], onFalse: places[onFalse]))
            case .apply(let kind, let index, let next): program.instructions.append(.apply(kind, index, next: places[next]))
            case .end: program.instructions.append(.end)
            }
        }
        return program
    }
}

extension PrefixSetTable {
    var prefixCount: Int { sets.reduce(0) { $0 + $1.count } }
}
