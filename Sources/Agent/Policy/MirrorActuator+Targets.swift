import Datapath
import Glibc
import Netlink
import NetworkTypes
import Policy
import Reports

// Where copies go: names, routes and neighbours.
extension MirrorActuator {
    func resolve(_ rule: MirrorRule, _ interfaces: [CountedInterface], _ namespace: FollowedNamespace) throws -> (
        MirrorSession, needsPort: Bool
    ) {
        var target: MirrorSession.Target
        var obstacle: MirrorSession.Obstacle?
        var needsPort = rule.snapLength != nil || rule.segmentation == .wire
        switch rule.target {
        case .interface(let name):
            let links = try namespace.socket.links()
            if let link = links.first(where: { $0.name == name }) {
                target = .interface(UInt32(link.index), mtu: Int(link.mtu))
                if !link.flags.contains(.up) {
                    obstacle = .targetDown
                } else if !link.flags.contains(.lowerUp) {
                    obstacle = .noCarrier
                }
                let sources = links.filter { link in interfaces.contains { $0.ifindex == link.index } }
                if sources.contains(where: { $0.mtu > link.mtu }) { needsPort = true }
            } else {
                (target, obstacle) = (.interface(0, mtu: 1500), .targetGone)
            }
        case .vxlan(let collector):
            guard vxlanPorts.contains(collector.port) else {
                throw PlanReport.Refusal(
                    rule: rule.name,
                    reason: "to.vxlan.port: \(collector.port) is not known as a port of VXLAN, so copies would be copied again",
                    hint: "agent.yaml names them in datapath.vxlan-ports: \(vxlanPorts.map(String.init).joined(separator: ", "))")
            }
            needsPort = true
            (target, obstacle) = try tunnel(
                .vxlan(vni: collector.vni, port: collector.port), to: collector.remote, from: collector.local, namespace, of: rule.name)
        case .erspan(let collector):
            needsPort = true
            (target, obstacle) = try tunnel(
                .erspan(session: collector.session), to: collector.remote, from: collector.local, namespace, of: rule.name)
        case .file, .client: (target, needsPort) = (.ring, false)
        }
        let session = MirrorSession(
            namespaceCookie: namespace.namespace.cookie, target: target, selection: rule.selection, snapLength: rule.snapLength,
            limit: rule.limit ?? MirrorSession.standardLimit, segmentation: rule.segmentation, obstacle: obstacle)
        return (session, needsPort)
    }

    private func tunnel(
        _ encapsulation: MirrorTunnel.Encapsulation, to remote: IPAddress, from local: IPAddress?, _ namespace: FollowedNamespace,
        of rule: String
    ) throws -> (MirrorSession.Target, MirrorSession.Obstacle?) {
        let unspecified = IPAddress(remote.bitWidth == 32 ? "0.0.0.0" : "::")!
        guard let route = try namespace.socket.route(to: remote, from: local), let source = local ?? route.source else {
            if try namespace.socket.isOwn(remote) {
                let key = if case .vxlan = encapsulation { "vxlan" } else { "erspan" }
                throw PlanReport.Refusal(
                    rule: rule, reason: "to.\(key).remote: \(remote) is an address of \(namespace.owner ?? "this host") itself",
                    hint: "a collector is another host; copies for this one go to an interface or a file")
            }
            return (
                .collector(
                    MirrorTunnel(encapsulation, from: local ?? unspecified, to: remote),
                    MirrorPath(interface: 0, nexthop: remote, mtu: 1500)),
                .noRoute
            )
        }
        let path = MirrorPath(interface: UInt32(route.interface), nexthop: route.gateway ?? remote, mtu: route.mtu)
        let obstacle: MirrorSession.Obstacle? =
            if !route.interfaceIsUp { .targetDown } else if !route.interfaceHasCarrier { .noCarrier } else {
                try neighbourObstacle(path, namespace)
            }
        return (.collector(MirrorTunnel(encapsulation, from: source, to: remote), path), obstacle)
    }

    // MARK: Neighbours

    /// A new session waits so long for its nexthop, and goes into force in any case.
    private static let patience = Duration.milliseconds(300)

    /// What is sent to an address that the kernel does not know yet waits in a short queue, or is lost.
    private func neighbourObstacle(_ path: MirrorPath, _ namespace: FollowedNamespace) throws -> MirrorSession.Obstacle? {
        let state = try namespace.socket.neighbour(of: path.nexthop, on: Int32(path.interface))
        return state?.isUsable == true ? nil : .noNeighbour
    }

    /// Has the kernel ask for the nexthop of a session that is about to be put in force.
    func resolveNexthop(of session: inout MirrorSession, in namespace: FollowedNamespace) throws {
        guard session.obstacle == .noNeighbour, case .collector(_, let path) = session.target else { return }
        let end = ContinuousClock.now + Self.patience
        try namespace.socket.resolveNeighbour(path.nexthop, on: Int32(path.interface))
        while session.obstacle != nil, ContinuousClock.now < end {
            usleep(1000)
            session.obstacle = try neighbourObstacle(path, namespace)
        }
    }

    /// Looks whether the nexthops of collectors answer, and has those asked for that nobody asks for by himself: a mirror alone does not
    /// make the kernel keep an entry. Once a second, and when a neighbour changes.
    /// - Parameter asks: false: only looks.
    func followNeighbours(asks: Bool) throws {
        var watched: Set<UInt64> = []
        var failure: (any Error)?
        for (place, session) in sessions {
            guard case .collector(_, let path) = session.target, session.obstacle == nil || session.obstacle == .noNeighbour,
                let namespace = follower.namespaces.values.first(where: { $0.namespace.cookie == session.namespaceCookie })
            else { continue }
            watched.insert(session.namespaceCookie)
            do {
                let state = try namespace.socket.neighbour(of: path.nexthop, on: Int32(path.interface))
                let obstacle: MirrorSession.Obstacle? = state?.isUsable == true ? nil : .noNeighbour
                if obstacle != session.obstacle {
                    try tables.set(obstacle, at: Int(place.index))
                    sessions[place]?.obstacle = obstacle
                }
                if asks, state?.isIdle ?? true { try namespace.socket.resolveNeighbour(path.nexthop, on: Int32(path.interface)) }
            } catch { failure = error }
        }
        for namespace in follower.namespaces.values {
            try namespace.monitor.watchNeighbours(watched.contains(namespace.namespace.cookie))
        }
        if let failure { throw failure }
    }

    // MARK: Words

    static func text(_ target: MirrorRule.Target) -> String {
        switch target {
        case .interface(let name): "interface \(name)"
        case .vxlan(let collector):
            "vxlan \(collector.remote) vni \(collector.vni)" + (collector.port == 4789 ? "" : " port \(collector.port)")
        case .erspan(let collector): "erspan \(collector.remote) session \(collector.session)"
        case .file(let file): "file \(file.path)"
        case .client: "a client"
        }
    }

    static func text(_ obstacle: MirrorSession.Obstacle) -> String {
        switch obstacle {
        case .targetGone: "the target is not there"
        case .targetDown: "the target is down"
        case .noCarrier: "the target has no carrier"
        case .noRoute: "there is no route to the collector"
        case .noNeighbour: "the collector's nexthop does not answer"
        }
    }

    /// Why copies of a session are not tried.
    static func problem(of session: MirrorSession) -> String? {
        guard let obstacle = session.obstacle else { return nil }
        guard case .collector(_, let path) = session.target else { return text(obstacle) }
        switch obstacle {
        case .noNeighbour: return "\(path.nexthop), the nexthop of the collector, does not answer"
        case .noCarrier: return "the interface on the way to the collector has no carrier"
        case .targetDown: return "the interface on the way to the collector is down"
        case .targetGone, .noRoute: return text(obstacle)
        }
    }
}
