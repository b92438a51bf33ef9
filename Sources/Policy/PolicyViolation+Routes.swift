import NetworkTypes

extension RouteDeclaration {
    /// Paths of one route: what a nexthop group holds is no limit here, what a person can follow is.
    public static let pathBounds = 2...8
    /// The most routes of a policy: each has rules of its own that every packet without one passes.
    public static let most = 64

    fileprivate func violations(_ subject: PolicyViolation.Subject) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        func report(_ key: String, _ reason: String, hint: String? = nil) { violations.append(.init(subject, key, reason, hint: hint)) }
        if !Policy.isName(name) { report("name", "a name is 1 to 32 of a-z, 0-9, dot, dash and underscore") }
        if !Self.pathBounds.contains(paths.count) { report("paths", "must be 2 to 8 paths, the preferred one first") }
        if destination.isRouted == false { report("to", "is not a prefix that is routed: loopback, link-local or multicast") }
        for (index, path) in paths.enumerated() {
            guard let gateway = path.gateway else { continue }
            if gateway.isV4 != destination.address.isV4 { report("paths[\(index)].via", "is of the other family than \(destination)") }
            if !gateway.isOfHost { report("paths[\(index)].via", "is no address of another host: unspecified, loopback or multicast") }
        }
        if !(0.05...1).contains(below) { report("below", "must be 5 % to 100 %") }
        if !PlanDeclaration.quantileBounds.contains(quantile) { report("quantile", "must be 50 % to 95 %") }
        if !PlanDeclaration.leadBounds.contains(lead) { report("lead", "must be 1s to 24h") }
        if !(0...100).contains(criticality) { report("criticality", "must be 0 (makes room first) to 100") }
        if !(0.01...1).contains(change) { report("change", "must be 1 % to 100 %") }
        if !(Duration.zero...PlanDeclaration.leadBounds.upperBound).contains(hold) { report("hold", "must be 0s to 24h") }
        return violations
    }
}

extension IPAddress {
    /// Packets can be handed to a host that has it.
    fileprivate var isOfHost: Bool {
        let others = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8"]
        return !others.contains { IPPrefix($0)!.contains(self) }
    }
}

extension IPPrefix {
    /// No loopback, link-local or multicast addresses alone, which no route leads to.
    fileprivate var isRouted: Bool {
        let others = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::1/128", "fe80::/10", "ff00::/8"]
        return !others.contains { IPPrefix($0)!.contains(self) }
    }
}

extension Policy {
    func routeViolations() -> [PolicyViolation] {
        guard routes.count <= RouteDeclaration.most else {
            return [.init(.route(RouteDeclaration.most), "", "there are \(routes.count) routes, \(RouteDeclaration.most) are possible")]
        }
        var violations: [PolicyViolation] = []
        var names: [String: Int] = [:]
        var destinations: [IPPrefix: Int] = [:]
        for (index, route) in routes.enumerated() {
            let subject = PolicyViolation.Subject.route(index)
            violations += route.violations(subject)
            if let owner = names[route.name] {
                violations.append(.init(subject, "name", "another route has this name", other: .route(owner)))
            }
            if let owner = destinations[route.destination] {
                violations.append(.init(subject, "to", "another route leads there", other: .route(owner)))
            }
            names[route.name] = names[route.name] ?? index
            destinations[route.destination] = destinations[route.destination] ?? index
            violations += pathViolations(of: route, subject)
        }
        return violations
    }

    /// Each path needs a link whose capacity is known, and all but the first have to be allowed as its alternatives.
    private func pathViolations(of route: RouteDeclaration, _ subject: PolicyViolation.Subject) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        var seen: Set<String> = []
        let first = route.paths.first?.interface ?? ""
        let alternatives = links.firstIndex { $0.interface == first }
        for (index, path) in route.paths.enumerated() {
            let key = "paths[\(index)].on"
            func report(_ reason: String, hint: String? = nil, other: PolicyViolation.Subject? = nil) {
                violations.append(.init(subject, key, reason, hint: hint, other: other))
            }
            if !seen.insert(path.interface).inserted {
                report("another path goes over \(path.interface)")
                continue
            }
            let link = links.firstIndex { $0.interface == path.interface }
            if link.flatMap({ links[$0].capacity }) == nil {
                report(
                    "the capacity of \(path.interface) is not declared",
                    hint: "links: - {interface: \(path.interface), capacity: 1 Gbit/s}",
                    other: link.map { .link($0) })
            }
            if index > 0, let alternatives, !links[alternatives].alternatives.contains(path.interface) {
                report(
                    "is no alternative of \(first)", hint: "links: - {interface: \(first), alternatives: [\(path.interface)]}",
                    other: .link(alternatives))
            }
        }
        return violations
    }
}
