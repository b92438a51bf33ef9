import Configuration
import Datapath
import Flows
import Logging
import Netlink
import NetworkTypes
import Planning
import Policy
import Glibc

/// Spreads the traffic of routes over their paths before one of them fills, as the policy files allow it. On the agent's thread.
///
/// What routes and their links carry is measured where flows and books are read; once a second the ``RoutePlanner`` decides. In mode `auto`
/// the ``RouteActuator`` carries that out; in mode `observe` nothing is in the kernel, and what it would do is told.
final class RouteSteering {
    private(set) var planner: RoutePlanner?
    /// What was wanted in the last second and could not be.
    private(set) var refusals: [RouteRefusal] = []
    private(set) var outlooks: [String: DemandOutlook] = [:]
    /// Of the last second: what each route's paths carry, and what all is sent over interfaces, bits a second.
    private(set) var carried: [String: [Double]] = [:]
    private(set) var links: [String: Double] = [:]
    private(set) var usable: Set<String> = []
    let actuator: RouteActuator

    private let mode: AgentConfiguration.Planning.Mode
    private let forecasts: DemandForecasts
    private let log: Log
    private var meter = RouteMeter()
    /// nil: none yet, or the last one failed.
    private var socket: NetlinkSocket?
    private var intents: [RouteIntent] = []
    /// false: nobody has looked yet at what an earlier agent left.
    private var hasLooked = false
    /// nil: not told yet; until then what an earlier agent left stands as it is.
    private var interfaces: [String: InterfaceID]?
    private var isMeasured = false
    /// Spreads after each change that is not judged yet, oldest first, with the highest number of its changes.
    private var unjudged: [(number: Int, weights: [String: PathWeights])] = []

    init(_ mode: AgentConfiguration.Planning.Mode, _ forecasts: DemandForecasts, _ log: Log) {
        self.mode = mode
        self.forecasts = forecasts
        self.log = log
        actuator = RouteActuator(log)
    }

    var isActive: Bool { planner != nil }

    /// The names of series that are forecast.
    var series: Set<String> {
        Set(intents.map(\.series) + intents.flatMap { $0.interfaces.map(RouteIntent.background) })
    }

    // MARK: Declarations

    func follow(_ policy: Policy) throws {
        let new = mode == .off ? [] : RouteIntent.all(of: policy)
        guard new != intents || !hasLooked else { return }
        hasLooked = true
        let known = planner?.weights ?? [:]
        (intents, unjudged) = (new, [])
        let standing = mode == .auto ? try actuator.follow(new.map(\.declaration)) : known
        planner =
            new.isEmpty ? nil : RoutePlanner(new, interval: forecasts.interval, isCarriedOut: mode == .auto, standing: standing)
        if planner == nil { (refusals, outlooks, carried, links) = ([], [:], [:], [:]) }
        meter.follow(new, interfaces ?? [:])
        // Those that are not declared any more, or not to be carried out, go at once.
        if mode != .auto || new.isEmpty { actuator.withdraw() }
    }

    // MARK: Measuring

    /// A flow's gain in the second that is being told.
    func observe(_ key: FlowKey, _ totals: Totals) { meter.add(key, totals) }

    /// All flows of a second have been told.
    ///
    /// - Parameters:
    ///   - sent: bytes that were sent over each counted interface of the agent's namespace in it.
    ///   - ids: which those are.
    func close(over length: Duration, sent: [String: UInt64], ids: [String: InterfaceID]) {
        guard planner != nil, length.seconds > 0 else { return }
        carried = meter.take(over: length.seconds)
        links = sent.mapValues { 8 * Double($0) / length.seconds }
        // The first one after a change has parts of a second.
        isMeasured = ids == interfaces
        if !isMeasured {
            interfaces = ids
            meter.follow(intents, ids)
        }
    }

    /// What series had in the last second, bits a second.
    var samples: [String: Double] {
        guard isMeasured else { return [:] }
        var samples: [String: Double] = [:]
        var rest = links
        for intent in intents {
            guard let paths = carried[intent.name] else { continue }
            samples[intent.series] = paths.reduce(0, +)
            for (interface, rate) in zip(intent.interfaces, paths) { rest[interface]? -= rate }
        }
        for interface in Set(intents.flatMap(\.interfaces)) {
            if let rate = rest[interface] { samples[RouteIntent.background(interface)] = max(0, rate) }
        }
        return samples
    }

    // MARK: Deciding

    /// Makes forecasts anew.
    /// - Parameter number: of the interval that begins.
    func lookAhead(from number: Int64) {
        outlooks = [:]
        let lead = intents.map(\.declaration.lead.seconds).max() ?? 0
        let steps = max(1, Int((lead / forecasts.interval).rounded(.up)))
        for name in series { outlooks[name] = forecasts.outlook(name, from: number, steps: steps) }
    }

    /// - Parameter isPaused: a change of the policy waits to be confirmed: what stands is kept.
    func turn(now: Double, minute: Int, beginsInterval: Bool, isPaused: Bool) {
        guard planner != nil, let interfaces else { return }
        usable = lookAtPaths(interfaces)
        if mode == .auto { actuator.turn(usable: usable) }
        guard isMeasured, !isPaused else { return }
        followTakenBack()
        let second = RoutePlanner.Second(
            now: now, minute: minute, beginsInterval: beginsInterval, links: links, carried: carried, usable: usable)
        let decision = planner!.decide(second, outlooks: outlooks)
        refusals = decision.refusals
        if mode == .auto { carryOut(decision) }
    }

    /// Interfaces of paths that are counted, and up with a carrier.
    private func lookAtPaths(_ interfaces: [String: InterfaceID]) -> Set<String> {
        do {
            let socket = try socket ?? NetlinkSocket()
            self.socket = socket
            return try Set(
                intents.flatMap(\.interfaces).filter { name in
                    let index = if_nametoindex(name)
                    guard interfaces[name] != nil, index != 0, let link = try socket.link(Int32(bitPattern: index)) else { return false }
                    return link.flags.isSuperset(of: [.up, .lowerUp])
                })
        } catch {
            socket = nil
            log.warning("paths of routes not looked at", ["reason": LogValue("\(error)")])
            return usable
        }
    }

    // MARK: Carrying out

    private func carryOut(_ decision: RouteDecision) {
        guard let planner, let last = decision.shifts.last else { return confirm() }
        do {
            let changed = Set(decision.shifts.map(\.name))
            try actuator.apply(planner.weights, changed: changed, usable: usable, confirmWithin: patience)
            unjudged.append((last.number, planner.weights))
            for shift in decision.shifts {
                log.info("route spread", ["route": LogValue(shift.name), "weights": LogValue("\(shift.to)")])
            }
            confirm()
        } catch {
            self.planner?.fail(decision.shifts.map(\.number), reason: "\(error)")
        }
    }

    /// Seconds within which changes have to be confirmed: three times as long as it takes to measure their effect.
    private var patience: Double { max(10, 3 * (intents.map(\.declaration.lead.seconds).max() ?? 0)) }

    /// Seconds until the last changes are taken back; nil: none waits.
    var confirmWithinSeconds: Double? { actuator.settings.until.map { max(0, ContinuousClock.now.duration(to: $0).seconds) } }

    private func followTakenBack() {
        guard let planner, !unjudged.isEmpty, actuator.settings.until == nil, actuator.settings.applied != planner.weights else { return }
        let first = Dictionary(intents.map { ($0.name, PathWeights(of: $0.limits.count)) }, uniquingKeysWith: { first, _ in first })
        self.planner?.stand(first.merging(actuator.settings.applied) { $1 })
        unjudged = []
    }

    /// Changes whose effect was measured, and was no worse than without them, are confirmed.
    private func confirm() {
        guard let planner, !unjudged.isEmpty else { return }
        let open = planner.journal.first { $0.outcome == .open }?.number ?? .max
        var judged: [String: PathWeights]?
        while let first = unjudged.first, first.number < open { judged = unjudged.removeFirst().weights }
        if let judged { actuator.confirm(judged, within: patience) }
    }

    /// Nothing that was put into the kernel stays.
    func withdraw() {
        if mode == .auto, isActive { actuator.withdraw() }
    }
}
