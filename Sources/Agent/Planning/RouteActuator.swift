import Glibc
import Logging
import Netlink
import NetworkTypes
import Planning
import Policy

/// Keeps the kernel spreading routes over their paths as planning has it, in the agent's own namespace. On the agent's thread.
///
/// What is there is read from the kernel: what an earlier agent left goes on, and is found again by its marks.
final class RouteActuator {
    private(set) var settings = PlannedSettings<PathWeights>()
    /// Why a route is not as it should be, by name.
    private(set) var troubles: [String: String] = [:]
    private let log: Log
    private var routes: [RouteDeclaration] = []
    private var slots: [String: Int] = [:]
    private var socket: NetlinkSocket?
    private var usable: Set<String> = []
    private var turns = 0

    init(_ log: Log) { self.log = log }

    /// Follows other declarations; what the kernel still has of them stands.
    /// - Returns: how it spreads them.
    func follow(_ routes: [RouteDeclaration]) throws -> [String: PathWeights] {
        let standing = try open().spreadRoutes()
        self.routes = routes
        slots = [:]
        var weights: [String: PathWeights] = [:]
        for route in routes {
            guard let there = standing.first(where: { $0.destination == route.destination }) else { continue }
            slots[route.name] = there.slot
            if let known = Self.weights(there, of: route) { weights[route.name] = known }
        }
        settings = .init(applied: weights, confirmed: weights, until: nil)
        return weights
    }

    /// nil: not over the paths that are declared.
    private static func weights(_ there: SpreadRoute, of route: RouteDeclaration) -> PathWeights? {
        var parts = route.paths.map { _ in 0 }
        for path in there.paths {
            guard parts.indices.contains(path.place), path.gateway == route.paths[path.place].gateway,
                UInt32(bitPattern: path.interface) == if_nametoindex(route.paths[path.place].interface)
            else { return nil }
            parts[path.place] = path.weight
        }
        return PathWeights(parts: parts)
    }

    /// Spreads routes in another way; what was stays when that fails.
    ///
    /// - Parameters:
    ///   - changed: routes that this is about: of others, what fails is told in `troubles` alone.
    ///   - seconds: it is taken back to the last confirmed one unless confirmed within.
    func apply(_ weights: [String: PathWeights], changed: Set<String>, usable: Set<String>, confirmWithin seconds: Double) throws {
        let before = settings
        self.usable = usable
        settings.apply(weights, confirmUntil: .now + .seconds(seconds))
        synchronise()
        guard let name = changed.sorted().first(where: { troubles[$0] != nil }), let reason = troubles[name] else { return }
        settings = before
        synchronise()
        throw AgentFailure("spread route \(name)", reason)
    }

    func confirm(_ weights: [String: PathWeights], within seconds: Double) {
        settings.confirm(weights, confirmUntil: .now + .seconds(seconds))
    }

    /// Once a second: mends what others have changed, and takes back what nobody confirmed in time.
    func turn(usable: Set<String>) {
        let isLapsed = settings.until.map { ContinuousClock.now >= $0 } ?? false
        if isLapsed {
            settings.takeBack()
            log.warning("spread of routes not confirmed; taken back", ["routes": LogValue(routes.map(\.name).joined(separator: " "))])
        }
        turns += 1
        // Looking costs two dumps.
        guard isLapsed || usable != self.usable || turns % 5 == 1 else { return }
        self.usable = usable
        synchronise()
    }

    /// Nothing of ours stays.
    func withdraw() {
        settings = .init()
        routes = []
        do { try open().removeSpreadRoutes() } catch { log.error("routes not taken away", ["reason": LogValue("\(error)")]) }
    }

    /// Makes the kernel's routes what they should be, each by itself.
    private func synchronise() {
        var found: [String: String] = [:]
        do {
            let socket = try open()
            let there = try socket.spreadRoutes()
            var wanted = routes.compactMap { route in self.wanted(route).map { (route.name, $0) } }
            for old in there where !wanted.contains(where: { $0.1.slot == old.slot && $0.1.destination == old.destination }) {
                try socket.remove(old)
            }
            // Places that became free serve, too.
            for route in routes where slots[route.name] == nil {
                slots[route.name] = SpreadRoute.slots.first { !slots.values.contains($0) }
                if slots[route.name] == nil { found[route.name] = "there are \(SpreadRoute.slots.count) routes already" }
                if let made = self.wanted(route) { wanted.append((route.name, made)) }
            }
            for (name, route) in wanted where !there.contains(route) {
                do throws(NetlinkError) { try socket.put(route) } catch { found[name] = "\(error)" }
            }
        } catch {
            // A socket that failed is not used again.
            socket = nil
            for route in routes { found[route.name] = "\(error)" }
        }
        for (name, reason) in found.sorted(by: { $0.key < $1.key }) where troubles[name] != reason {
            log.warning("route not spread", ["route": LogValue(name), "reason": LogValue(reason)])
        }
        troubles = found
    }

    /// nil: there is no path that packets could go over now.
    private func wanted(_ route: RouteDeclaration) -> SpreadRoute? {
        guard let slot = slots[route.name] else { return nil }
        let weights = settings.applied[route.name] ?? PathWeights(of: route.paths.count)
        let paths = route.paths.enumerated().compactMap { place, path -> SpreadRoute.Path? in
            guard weights.parts[place] > 0, usable.contains(path.interface) else { return nil }
            let index = if_nametoindex(path.interface)
            guard index != 0 else { return nil }
            return .init(place: place, interface: Int32(bitPattern: index), gateway: path.gateway, weight: weights.parts[place])
        }
        return paths.isEmpty ? nil : SpreadRoute(slot: slot, destination: route.destination, paths: paths)
    }

    private func open() throws(NetlinkError) -> NetlinkSocket {
        if let socket { return socket }
        let new = try NetlinkSocket()
        socket = new
        return new
    }
}
