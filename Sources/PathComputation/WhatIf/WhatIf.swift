import NetworkTypes

/// The answer to “what if”: the same demands over the network as it is and as it would be.
public struct WhatIf: Sendable {
    public var changes: [Change]
    public var consequences: [Consequence]
    public var stateBefore: NetworkState
    public var stateAfter: NetworkState
    public var demandsBefore: [Demand]
    public var demandsAfter: [Demand]
    public var before: NetworkLoad
    public var after: NetworkLoad
    /// How many demands each change selected; nil for those of the network.
    public var selectedDemands: [Int?]

    /// - Parameters:
    ///   - home: the namespace that interfaces named without one belong to.
    /// - Throws: the first change that cannot be made, with its position.
    public init(
        _ changes: [Change], on state: NetworkState, demands: [Demand], home: String? = nil
    ) throws(RefusedChange) {
        let planeBefore = ForwardingPlane(state)
        var network = ChangingNetwork(state)
        var adjusted = demands
        var selected: [Int?] = []
        for (position, change) in changes.enumerated() {
            if case .adjustDemands(let selector, let adjustment) = change {
                let result = adjusted.adjusted(selector, adjustment)
                if result.selected == 0 { throw RefusedChange(position: position, reason: Self.nothing(of: selector, in: adjusted)) }
                adjusted = result.demands
                selected.append(result.selected)
                continue
            }
            switch change {
            case .setCapacity: break
            default: network.changesNoWays = false
            }
            do {
                try network.apply(change, home: home)
            } catch {
                throw RefusedChange(position: position, reason: error)
            }
            selected.append(nil)
        }
        self.changes = changes
        consequences = network.consequences
        stateBefore = state
        stateAfter = network.state
        demandsBefore = demands
        demandsAfter = adjusted
        selectedDemands = selected
        before = NetworkLoad(demands, over: planeBefore)
        let planeAfter = ForwardingPlane(network.state, reusing: planeBefore)
        // Where only rates or capacities change nobody goes another way.
        after =
            network.changesNoWays
            ? NetworkLoad(adjusted, taking: before.walks, over: planeAfter) : NetworkLoad(adjusted, over: planeAfter)
    }

    /// Why nothing was selected.
    private static func nothing(of selector: DemandSelector, in demands: [Demand]) -> ChangeRefusal {
        guard let wanted = selector.application?.lowercased() else { return .notFound("demand of that kind") }
        let known = Set(demands.compactMap(\.application)).sorted()
        if known.contains(where: { $0.lowercased() == wanted }) { return .notFound("demand of that kind") }
        // A slip, or a part of the name: `postgres`.
        let near =
            Suggestion.nearest(to: wanted, among: known)
            ?? known.first { $0.lowercased().contains(wanted) || wanted.contains($0.lowercased()) }
        return .unknownApplication(selector.application ?? wanted, suggestion: near)
    }

    /// The part of a demand's flows that arrived before the changes and arrives after them, each 0...1.
    ///
    /// What leaves the known network has arrived, for beyond it nothing is known to be wrong; but not where it was delivered within before.
    public func arrivingShares(_ position: Int) -> (before: Double, after: Double) {
        let (before, after) = (before.walks[position], after.walks[position])
        let isInside = before.deliveredShare > 0
        return (before.arrivingShare(leaving: !isInside), after.arrivingShare(leaving: !isInside))
    }

    /// Positions of demands that got through, wholly or in part, and do so no longer or less.
    public var cutOff: [Int] {
        demandsBefore.indices.filter {
            let shares = arrivingShares($0)
            return shares.after < shares.before - 1e-9
        }
    }

    /// Positions of demands of which something does not arrive now.
    public var unreachable: [Int] { demandsAfter.indices.filter { arrivingShares($0).after < 1 - 1e-9 } }

    /// Positions of demands that take other interfaces, or spread otherwise.
    public var rerouted: [Int] {
        demandsBefore.indices.filter { Self.paths(before.walks[$0]) != Self.paths(after.walks[$0]) }
    }

    /// Links that are loaded beyond `threshold` now and were not before.
    public func newBottlenecks(threshold: Double = 1) -> [LinkLoad] {
        after.links.filter { load in
            guard let utilisation = load.utilisation, utilisation > threshold else { return false }
            return (before.load(of: load.place, load.direction)?.utilisation ?? 0) <= threshold
        }
    }

    /// Every interface and direction that has traffic before or after.
    public var loads: [(before: LinkLoad?, after: LinkLoad?)] {
        var pairs: [LinkLoad.Key: (before: LinkLoad?, after: LinkLoad?)] = [:]
        for load in before.links { pairs[LinkLoad.Key(place: load.place, direction: load.direction), default: (nil, nil)].before = load }
        for load in after.links { pairs[LinkLoad.Key(place: load.place, direction: load.direction), default: (nil, nil)].after = load }
        return pairs.sorted { ($0.key.place, $0.key.direction.rawValue) < ($1.key.place, $1.key.direction.rawValue) }.map(\.value)
    }

    /// What of a way tells it from another.
    private struct Path: Hashable {
        var places: [LinkPlace]
        var share: Int
        var outcome: WalkOutcome
    }

    private static func paths(_ walk: Walk) -> Set<Path> {
        Set(walk.branches.map { Path(places: $0.hops.map(\.place), share: Int(($0.share * 1e6).rounded()), outcome: $0.outcome) })
    }
}

/// Which of the changes cannot be made, and why.
public struct RefusedChange: Error, Sendable, Hashable {
    /// 0 is the first.
    public var position: Int
    public var reason: ChangeRefusal
}
