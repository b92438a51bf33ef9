import CDatapath
import TestSupport
import Testing

/// What the reference parser makes of the same packets in the same order.
struct ExpectedFlows {
    let interface: UInt32
    let direction: nilo_direction
    private var memory = FragmentMemory()
    private var flows: [[UInt8]: (facts: FlowFacts, example: [UInt8])] = [:]

    init(interface: UInt32, direction: nilo_direction) {
        self.interface = interface
        self.direction = direction
    }

    /// - Parameters:
    ///   - segments: of a super-packet.
    ///   - size: payload bytes of each of its segments but the last.
    mutating func count(_ bytes: [UInt8], segments: Int = 1, size: Int = 0) {
        let parsed = memory.resolve(ReferenceParser().parse(bytes))
        let key = parsed.keyBytes(interface: interface, direction: direction)
        flows[key, default: (FlowFacts(), bytes)].facts.add(FlowFacts(parsed, segments: segments, size: size))
    }

    func compare(with counted: [[UInt8]: FlowFacts], _ comment: String) {
        var differences: [String] = []
        for (key, flow) in flows where counted[key] != flow.facts {
            let found = counted[key].map { "\($0)" } ?? "no such flow"
            differences.append("expected \(hex(key)) \(flow.facts)\n  counted \(found)\n  for example \(hex(flow.example))")
        }
        for (key, facts) in counted where flows[key] == nil { differences.append("not expected \(hex(key)) \(facts)") }
        let shown = differences.sorted().prefix(10).joined(separator: "\n")
        // The list itself would be printed by #expect, as long as it is.
        let count = differences.count
        #expect(count == 0, "\(comment): \(count) of \(flows.count) flows differ\n\(shown)")
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
