import NetworkTypes
import Policy

extension ConfigurationDecoder {
    private static let planKeys = [
        "class", "quantile", "lead", "headroom", "floor", "ceiling", "criticality", "weight", "change", "hold", "freeze",
    ]

    mutating func plan(_ node: YAMLNode, _ path: String) -> PlanDeclaration {
        let values = mapping(node, path, keys: Self.planKeys)
        var plan = PlanDeclaration(rule: "")
        if let name = values["class"] {
            plan.rule = text(name, "\(path).class") ?? ""
        } else if case .mapping = node.content {
            reportMissing("class", in: node, path)
        }
        percent(values["quantile"], "\(path).quantile", into: &plan.quantile)
        time(values["lead"], "\(path).lead", into: &plan.lead)
        percent(values["headroom"], "\(path).headroom", into: &plan.headroom)
        plan.floor = rate(values["floor"], "\(path).floor")
        plan.ceiling = rate(values["ceiling"], "\(path).ceiling")
        number(values["criticality"], "\(path).criticality", into: &plan.criticality)
        number(values["weight"], "\(path).weight", into: &plan.weight)
        percent(values["change"], "\(path).change", into: &plan.change)
        time(values["hold"], "\(path).hold", into: &plan.hold)
        if let windows = values["freeze"] {
            list(windows, "\(path).freeze", into: &plan.freeze) {
                $0.parsed($1, $2, expected: "a time of every day such as \"22:00-23:00\"") { DailyWindow($0) }
            }
        }
        return plan
    }

    private mutating func percent(_ node: YAMLNode?, _ path: String, into target: inout Double) {
        if let node, let share = parsed(node, path, expected: Percentage.written, Percentage.share) { target = share }
    }

    private mutating func rate(_ node: YAMLNode?, _ path: String) -> BitRate? {
        node.flatMap { parsed($0, path, expected: BitRate.written) { BitRate(policy: $0) } }
    }

    private mutating func number(_ node: YAMLNode?, _ path: String, into target: inout Int) {
        if let node, let value = parsed(node, path, expected: "a whole number", { Int($0) }) { target = value }
    }

    private mutating func time(_ node: YAMLNode?, _ path: String, into target: inout Duration) {
        let expected = "a duration with its unit, such as 30s, 10m or 1h"
        if let node, let value = parsed(node, path, expected: expected, parseDuration) { target = value }
    }
}
