import Suspicions

extension MetricsPage {
    /// Scans, floods and heavy hitters.
    mutating func suspicions(_ keeper: SuspicionKeeper) {
        let kinds = Suspicion.Kind.allCases
        metric(
            "nilo_suspicions_total", "counter", "Suspicious traffic that was found, by kind.",
            kinds.map { (labels: [("kind", $0.rawValue)], value: Double(keeper.begun[$0] ?? 0)) })
        let current = keeper.current
        metric(
            "nilo_suspicions", "gauge", "Suspicious traffic that goes on, by kind.",
            kinds.map { kind in (labels: [("kind", kind.rawValue)], value: Double(current.count { $0.kind == kind })) })
        metric(
            "nilo_sketched_packets_total", "counter", "Packets without a flow that are in the estimates.",
            [(labels: [], value: Double(keeper.sketched))])
    }
}
