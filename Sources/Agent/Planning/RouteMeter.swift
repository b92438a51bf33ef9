import Flows
import NetworkTypes
import Planning

/// What each route's paths carry, out of what flows did: exact, as every packet that leaves over a path is in a flow there (or in the
/// interface's overflow, which is nobody's).
struct RouteMeter {
    private struct Place {
        var route: Int
        var path: Int
        var destination: IPPrefix
    }

    private var routes: [RouteIntent] = []
    /// By interface, longer prefixes first.
    private var places: [InterfaceID: [Place]] = [:]
    private var bytes: [[UInt64]] = []

    /// - Parameter interfaces: by name, those that are counted.
    mutating func follow(_ routes: [RouteIntent], _ interfaces: [String: InterfaceID]) {
        self.routes = routes
        bytes = routes.map { $0.limits.map { _ in 0 } }
        places = [:]
        for (index, route) in routes.enumerated() {
            for (path, name) in route.interfaces.enumerated() {
                guard let id = interfaces[name] else { continue }
                places[id, default: []].append(Place(route: index, path: path, destination: route.declaration.destination))
            }
        }
        for id in places.keys { places[id]?.sort { $0.destination.length > $1.destination.length } }
    }

    mutating func add(_ key: FlowKey, _ totals: Totals) {
        guard key.direction == .egress, let places = places[key.interface], let destination = key.outer.destination,
            let place = places.first(where: { $0.destination.contains(destination) })
        else { return }
        bytes[place.route][place.path] += totals.wireBytes
    }

    /// Bits a second since the last call, by route and path.
    mutating func take(over seconds: Double) -> [String: [Double]] {
        let rates = bytes.map { $0.map { 8 * Double($0) / seconds } }
        bytes = routes.map { $0.limits.map { _ in 0 } }
        return Dictionary(zip(routes.map(\.name), rates), uniquingKeysWith: { first, _ in first })
    }
}
