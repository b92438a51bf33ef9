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
        windows(values["freeze"], "\(path).freeze", into: &plan.freeze)
        return plan
    }

    private static let routeKeys = [
        "name", "to", "paths", "below", "quantile", "lead", "criticality", "change", "hold", "freeze",
    ]

    mutating func route(_ node: YAMLNode, _ path: String) -> RouteDeclaration {
        let values = mapping(node, path, keys: Self.routeKeys)
        var route = RouteDeclaration(name: name(values, node, path), destination: IPPrefix(.v4(0), length: 0)!, paths: [])
        if let node = required("to", in: values, node, path), let text = text(node, "\(path).to") {
            let read = PolicyReading.prefix(text)
            if let reason = read.reason { report(node, "\(path).to", reason, hint: read.hint) }
            if let prefix = read.0 { route.destination = prefix } else { leftUnread("\(path).to") }
        }
        if let node = required("paths", in: values, node, path) {
            list(node, "\(path).paths", into: &route.paths) { $0.path($1, $2) }
        }
        percent(values["below"], "\(path).below", into: &route.below)
        percent(values["quantile"], "\(path).quantile", into: &route.quantile)
        time(values["lead"], "\(path).lead", into: &route.lead)
        number(values["criticality"], "\(path).criticality", into: &route.criticality)
        percent(values["change"], "\(path).change", into: &route.change)
        time(values["hold"], "\(path).hold", into: &route.hold)
        windows(values["freeze"], "\(path).freeze", into: &route.freeze)
        return route
    }

    /// A way to a prefix: its gateway, where it has one, and its interface.
    private mutating func path(_ node: YAMLNode, _ path: String) -> RouteDeclaration.Path? {
        let values = mapping(node, path, keys: ["via", "on"])
        let gateway = values["via"].flatMap { parsed($0, "\(path).via", expected: "an IPv4 or IPv6 address") { IPAddress($0) } }
        guard let name = required("on", in: values, node, path),
            let interface = parsed(name, "\(path).on", expected: Self.interfaceWords, Self.interface)
        else { return nil }
        return .init(gateway: gateway, interface: interface)
    }

    private mutating func windows(_ node: YAMLNode?, _ path: String, into target: inout [DailyWindow]) {
        guard let node else { return }
        list(node, path, into: &target) {
            $0.parsed($1, $2, expected: "a time of every day such as \"22:00-23:00\"") { DailyWindow($0) }
        }
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
