import Glibc

/// `nilo-bench [SUITE] [--json] [--quick] [--only NAME]`: measures and prints the table; `tools/bench` builds and runs it.
@main struct Bench {
    typealias Measurement = (name: String, run: @Sendable (Plan, Results) throws -> Void)

    /// By suite, in the order in which they run: each takes tables of its own and gives them back.
    static let suites: [String: [Measurement]] = [
        "datapath": datapath, "mirror": mirror, "sample": sample, "shape": shape, "storage": storage, "applications": applications,
        "topology": topology, "series": series, "sketches": sketches,
    ]
    static let datapath: [Measurement] = [
        ("hot", measureHotFlow), ("cpus", measureTwoCPUs), ("many", measureManyFlows), ("overload", measureOverload),
        ("reading", measureReading), ("collecting", measureCollecting), ("idle", measureIdleAgent), ("veth", measureVethPackets),
        ("tcp", measureVethTransfers),
    ]
    static let mirror: [Measurement] = [("packets", measureMirroredPackets), ("transfers", measureMirroredTransfers)]
    static let sample: [Measurement] = [
        ("countdown", measureCountdown), ("consumer", measureConsumers), ("events", measureEvents), ("coverage", measureCoverage),
    ]

    static let sketches: [Measurement] = [("packets", measureSketches)]
    static let applications: [Measurement] = [("captures", measureApplications)]
    static let topology: [Measurement] = [("scale", measureTopologyScale), ("events", measureTopologyEvents)]
    static let series: [Measurement] = [("watched", measureWatchedSeries)]
    static let shape: [Measurement] = [
        ("rates", measureRates), ("fairness", measureFairness), ("classes", measureClasses), ("unrelated", measureUnrelated),
        ("updates", measureUpdates),
    ]
    static let storage: [Measurement] = [
        ("topology", measureTopologyHistory), ("series", measureSeriesHistory), ("postgres", measurePostgres),
    ]

    static func main() {
        var plan = Plan()
        var captures: String?
        var json = false
        var only: [String] = []
        var measurements = datapath
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            switch argument {
            case "--json": json = true
            case "--quick": plan = .quick
            case "--captures": captures = arguments.popFirst()
            case "--only": only += arguments.popFirst().map { [$0] } ?? []
            case IdleAgent.argument: exit(IdleAgent.run(seconds: arguments.popFirst().flatMap { Int($0) } ?? 1))
            default:
                guard let suite = suites[argument] else { complain("unknown argument \(argument)", status: 2) }
                measurements = suite
            }
        }
        if let unknown = only.first(where: { name in !measurements.contains { $0.name == name } }) {
            complain("no measurement \(unknown)", status: 2)
        }
        plan.captures = captures
        let results = Results()
        for measurement in measurements where only.isEmpty || only.contains(measurement.name) {
            let start = wallSeconds()
            do { try measurement.run(plan, results) } catch { complain("\(measurement.name): \(error)", status: 1) }
            say("measured \(measurement.name) in \(fixed(wallSeconds() - start, 1)) s")
        }
        print(json ? results.json : results.table)
    }

    static func complain(_ what: String, status: Int32) -> Never {
        say("nilo-bench: \(what)")
        exit(status)
    }
}
