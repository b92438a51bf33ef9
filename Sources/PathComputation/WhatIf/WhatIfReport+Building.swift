import NetworkTypes

extension WhatIfReport {
    /// - Parameter threshold: the utilisation from which a link is a bottleneck.
    public init(_ answer: WhatIf, changes: [String], threshold: Double) {
        self.init()
        self.changes = changes
        consequences = answer.consequences.map { $0.text(answer.stateBefore) }
        let arriving = answer.demandsBefore.indices.map { answer.arrivingShares($0) }
        before = Self.overview(answer.before, answer.demandsBefore, arriving.map(\.before), answer.stateBefore)
        after = Self.overview(answer.after, answer.demandsAfter, arriving.map(\.after), answer.stateAfter)
        links = answer.loads.compactMap { Self.link($0.before, $0.after, answer) }
        func isFull(_ side: Link.Side) -> Bool { side.utilisation.map { $0 >= threshold } ?? false }
        newBottlenecks = links.filter { isFull($0.after) && !isFull($0.before) }
            .sorted { ($0.after.utilisation ?? 0) > ($1.after.utilisation ?? 0) }
        relieved = links.filter { isFull($0.before) && !isFull($0.after) }
        addFlows(answer, arriving)
    }

    private static func overview(_ load: NetworkLoad, _ demands: [Demand], _ arriving: [Double], _ state: NetworkState) -> Overview {
        var overview = Overview()
        overview.demands = demands.count
        overview.offered = BitRate(bitsPerSecond: demands.reduce(0) { $0 + $1.rate.bitsPerSecond })
        overview.delivered = BitRate(
            bitsPerSecond: zip(demands, arriving).reduce(0) { $0 + $1.0.rate.bitsPerSecond * $1.1 })
        overview.tightest = load.tightest.map { state.text(of: $0.place) }
        overview.utilisation = load.tightest?.utilisation
        overview.headroom = load.headroom
        return overview
    }

    private static func link(_ before: LinkLoad?, _ after: LinkLoad?, _ answer: WhatIf) -> Link? {
        guard let one = before ?? after else { return nil }
        func side(_ load: LinkLoad?, _ state: NetworkState) -> Link.Side {
            Link.Side(rate: load?.rate ?? BitRate(bitsPerSecond: 0), capacity: load?.capacity ?? state.link(one.place)?.capacity)
        }
        return Link(
            node: one.place.namespace, name: one.name, direction: one.direction, before: side(before, answer.stateBefore),
            after: side(after, answer.stateAfter), isExpectation: before?.isExpectation ?? false || after?.isExpectation ?? false)
    }

    private mutating func addFlows(_ answer: WhatIf, _ arriving: [(before: Double, after: Double)]) {
        let rerouted = Set(answer.rerouted)
        var found: [(position: Int, fate: Fate, lost: Double)] = []
        for position in answer.demandsBefore.indices {
            let (arrived, arrives) = arriving[position]
            let (old, new) = (answer.demandsBefore[position].rate, answer.demandsAfter[position].rate)
            let fate: Fate
            if arrives < arrived - 1e-9 {
                fate = .cutOff
            } else if arrives < 1 - 1e-9 {
                fate = .unreachable
            } else if arrived < 1 - 1e-9 {
                fate = .restored
            } else if rerouted.contains(position) {
                fate = .rerouted
            } else if old != new {
                fate = .changed
            } else {
                continue
            }
            counts.add(fate)
            found.append((position, fate, new.bitsPerSecond * (1 - arrives)))
        }
        let order = Dictionary(uniqueKeysWithValues: Fate.allCases.enumerated().map { ($1, $0) })
        func precedes(_ a: (position: Int, fate: Fate, lost: Double), _ b: (position: Int, fate: Fate, lost: Double)) -> Bool {
            if a.fate != b.fate { return order[a.fate, default: 0] < order[b.fate, default: 0] }
            return a.lost != b.lost ? a.lost > b.lost : a.position < b.position
        }
        found.sort(by: precedes)
        flows = found.prefix(Self.flowLimit).map { Self.flow($0.position, $0.fate, answer, arriving[$0.position]) }
    }

    private static func flow(_ position: Int, _ fate: Fate, _ answer: WhatIf, _ arriving: (before: Double, after: Double)) -> Flow {
        let demand = answer.demandsBefore[position]
        func side(_ rate: BitRate, _ walk: Walk, _ share: Double, _ state: NetworkState) -> Flow.Side {
            Flow.Side(rate: rate, delivered: share, paths: walk.branches.map { Self.path($0, state) })
        }
        return Flow(
            fate: fate, node: demand.namespace, entry: demand.entry.map { answer.stateBefore.text(of: $0) }, source: demand.packet.source,
            destination: demand.packet.destination, transport: demand.packet.transport, sourcePort: demand.packet.sourcePort,
            destinationPort: demand.packet.destinationPort, application: demand.application,
            before: side(demand.rate, answer.before.walks[position], arriving.before, answer.stateBefore),
            after: side(answer.demandsAfter[position].rate, answer.after.walks[position], arriving.after, answer.stateAfter))
    }

    private static func path(_ branch: Branch, _ state: NetworkState) -> Path {
        Path(
            hops: branch.hops.map { "\($0.place.namespace):\($0.name)" }, share: branch.share, outcome: branch.outcome.text(state),
            isDelivered: branch.outcome.isArrival, notes: branch.notes.map { $0.text(state) })
    }
}

extension Walk {
    /// The part of the flows that is delivered, 0...1.
    /// - Parameter leaving: what leaves the known network counts too.
    func arrivingShare(leaving: Bool) -> Double {
        min(
            1,
            branches.reduce(0) { sum, branch in
                switch branch.outcome {
                case .delivered: sum + branch.share
                case .left: leaving ? sum + branch.share : sum
                case .lost, .ignored, .answered: sum
                }
            })
    }
}

extension WalkOutcome {
    var isArrival: Bool {
        switch self {
        case .delivered, .left: true
        case .lost, .ignored, .answered: false
        }
    }
}
