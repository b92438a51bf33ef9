import Flows
import NetworkTypes

extension ShapeRule {
    public static let rateBounds = BitRate(bitsPerSecond: 1000)...BitRate(bitsPerSecond: 1e12)
    /// The most prefixes with a rate each (`NILO_MEMBER_BUCKETS`).
    public static let mostPrefixRates = 16384
    static let rateReason = "must be 1 kbit/s to 1 Tbit/s"

    func violations(_ subject: PolicyViolation.Subject) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        func report(_ key: String, _ reason: String, hint: String? = nil) { violations.append(.init(subject, key, reason, hint: hint)) }
        if let rate, !Self.rateBounds.contains(rate) { report("rate", Self.rateReason) }
        if let ceiling, !Self.rateBounds.contains(ceiling) { report("ceiling", Self.rateReason) }
        if let rate, let ceiling, rate > ceiling { report("rate", "is more than the ceiling") }
        if let burst, !(ByteCount(1514)...ByteCount(1 << 30)).contains(burst) {
            report("burst", "must be 1514 B to 1 GiB", hint: "a bucket that holds no full frame lets none pass")
        }
        if !(0...7).contains(priority) { report("priority", "must be 0 (first) to 7") }
        if let dscp, dscp > 63 { report("dscp", "must be 0 to 63") }
        if !(0...256).contains(overhead) { report("overhead", "must be 0 to 256 bytes") }
        if mechanism == .htb || mechanism == .edt, scope.direction != .egress {
            report(
                "mechanism", "\(mechanism.rawValue) works on egress only", hint: "add direction: egress, or police what comes in")
        }
        switch aggregation {
        case .aggregate, .flow, .host(.source), .host(.destination):
            if rate == nil && ceiling == nil && dscp == nil { report("", "does nothing", hint: "give it a rate, a ceiling or a dscp") }
        case .host(.either): report("per", "must say which end: host source or host destination")
        case .prefixes(let side, let list):
            if side == .either { report("prefixes.side", "must be source or destination") }
            if list.isEmpty { report("prefixes.list", "is empty") }
            if list.count > Self.mostPrefixRates { report("prefixes.list", "has more than \(Self.mostPrefixRates) prefixes") }
            var first: [IPPrefix: Int] = [:]
            for (index, entry) in list.enumerated() {
                if !Self.rateBounds.contains(entry.rate) { report("prefixes.list[\(index)].rate", Self.rateReason) }
                if let earlier = first[entry.prefix] {
                    report(
                        "prefixes.list[\(index)].net", "\(entry.prefix) is there twice", hint: "it is also number \(earlier) of the list")
                }
                first[entry.prefix] = first[entry.prefix] ?? index
            }
        }
        return violations
    }
}

extension Policy {
    /// Whether shares fit into what they are shares of.
    func shareViolations() -> [PolicyViolation] {
        let byName = Dictionary(shapers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        var violations: [PolicyViolation] = []
        for (index, rule) in shapers.enumerated() {
            guard let name = rule.parent else { continue }
            let subject = PolicyViolation.Subject.rule(.shaper, index)
            guard let at = byName[name] else {
                let nearest = Suggestion.nearest(to: name, among: byName.keys.sorted())
                violations.append(
                    .init(
                        subject, "parent", "there is no shaping rule of this name",
                        hint: nearest.map { "did you mean \"\($0)\"?" }))
                continue
            }
            if let loop = cycle(from: index, byName) {
                violations.append(.init(subject, "parent", "goes round in a circle: \(loop.joined(separator: ", "))"))
                continue
            }
            violations += shapers[at].disagreements(with: rule).map {
                .init(subject, $0.key, $0.reason, other: .rule(.shaper, at))
            }
        }
        return violations + guaranteeViolations(byName)
    }

    /// The names on the way from a rule back to itself; nil when there is none.
    private func cycle(from start: Int, _ byName: [String: Int]) -> [String]? {
        var way = [shapers[start].name]
        var seen: Set<Int> = []
        var at = start
        while let parent = shapers[at].parent, let next = byName[parent], seen.insert(next).inserted {
            way.append(parent)
            if next == start { return way }
            at = next
        }
        return nil
    }

    private func guaranteeViolations(_ byName: [String: Int]) -> [PolicyViolation] {
        var violations: [PolicyViolation] = []
        // Rates are whole bits; sums of that many are exact.
        var sums: [String: Double] = [:]
        for rule in shapers { if let parent = rule.parent { sums[parent, default: 0] += rule.rate?.bitsPerSecond ?? 0 } }
        for (index, parent) in shapers.enumerated() {
            guard byName[parent.name] == index, let most = parent.ceiling ?? parent.rate, let sum = sums[parent.name] else { continue }
            if sum > most.bitsPerSecond {
                violations.append(
                    .init(
                        .rule(.shaper, index), parent.ceiling == nil ? "rate" : "ceiling",
                        "the rules within are granted \(BitRate(bitsPerSecond: sum)) together, more than the \(most) there are"))
            }
        }
        return violations
    }
}

extension ShapeRule {
    /// Why a rule cannot be a part of this one.
    fileprivate func disagreements(with part: ShapeRule) -> [(key: String, reason: String)] {
        var found: [(key: String, reason: String)] = []
        if Set(scope.interfaces) != Set(part.scope.interfaces) { found.append(("on", "must be the same as the parent's")) }
        if scope.direction != part.scope.direction { found.append(("direction", "must be the same as the parent's")) }
        if mechanism != part.mechanism, mechanism != .auto, part.mechanism != .auto {
            found.append(("mechanism", "must be the same as the parent's"))
        }
        if aggregation != .aggregate { found.append(("parent", "gives each host, flow or prefix its own rate, and cannot be shared out")) }
        return found
    }
}
