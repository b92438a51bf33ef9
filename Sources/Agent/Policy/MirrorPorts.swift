import Datapath
import Netlink
import Policy
import Reports

/// The mirror port of each namespace whose copies are to be changed on their way: made, kept as it was, and taken away.
final class MirrorPorts {
    private let datapath: Datapath
    private let follower: InterfaceFollower
    private lazy var program = Result { try MirrorPortProgram(maps: datapath.maps) }
    /// Of namespaces, by their cookies: while a port there is ours to work.
    private var locks: [UInt64: NamespaceLock] = [:]

    /// An agent that is just ending is gone in a moment.
    private static let patience = Duration.milliseconds(100)

    init(_ datapath: Datapath, _ follower: InterfaceFollower) {
        self.datapath = datapath
        self.follower = follower
    }

    /// Somebody else's device may have the name of one of ours, or another agent may work the port: it stays as it is.
    func check(in namespace: FollowedNamespace, for rule: String) throws {
        let place = namespace.owner ?? "the host"
        if let occupant = try occupant(of: namespace, patience: Self.patience) {
            throw PlanReport.Refusal(
                rule: rule, reason: "it needs the mirror port of \(place), and another agent has it: \(occupant)",
                hint: "one agent for each namespace can cut copies and send them through tunnels: stop the other one, or its mirrors")
        }
        guard let stranger = try namespace.socket.links().mirrorPortStranger else { return }
        throw PlanReport.Refusal(
            rule: rule, reason: "it needs the mirror port of \(place), and \(stranger.name) there is not ours: it lacks our alias",
            hint: "the names nilo-m0 and nilo-m1 are for the mirror port: rename that device")
    }

    /// Of the end that copies are sent into.
    func number(in namespace: FollowedNamespace) throws -> UInt32 {
        guard let port = try namespace.socket.mirrorPort() else {
            throw AgentFailure("find the mirror port", "it is gone", hint: "nilo apply makes it again")
        }
        return UInt32(port.out)
    }

    /// Another agent's port is none of our business; nil: there is none, or it is ours.
    private func occupant(of namespace: FollowedNamespace, patience: Duration = .zero) throws -> String? {
        guard locks[namespace.namespace.cookie] == nil else { return nil }
        return try NamespaceLock.occupant(in: namespace.namespace, patience: patience)
    }

    /// - Parameter needs: namespaces that need one, and for which rule; ``check(in:for:)`` has passed.
    func add(to needs: [(namespace: FollowedNamespace, rule: String)], _ result: inout ActuatorPlan) throws {
        for lock in locks.values { lock.drain() }
        var seen: Set<UInt64> = []
        for (namespace, _) in needs where seen.insert(namespace.namespace.cookie).inserted {
            let found = try namespace.socket.mirrorPort()
            if let found {
                if !attached.contains(namespace.namespace.cookie) {
                    // An earlier agent's, perhaps not finished: its programs are exchanged for ours.
                    result.before.append(
                        PolicyStep(
                            [],
                            apply: { [self] in
                                try makePort(namespace)
                            }, undo: {}))
                } else if let mending = try repair(of: found, in: namespace) {
                    result.before.append(mending)
                }
                continue
            }
            let commands = NetlinkSocket.mirrorPortCommands
            let halves = try namespace.socket.links().mirrorPortEnds.map(\.name)
            let place = namespace.owner ?? "the host"
            // Makes place for itself.
            let removals = halves.prefix(1).map {
                PlanReport.Step(.remove, "what is left of the mirror port of \(place)", command: "ip link del \($0)")
            }
            var step = PolicyStep(
                removals + commands.map { PlanReport.Step(.add, "mirror port of \(place)", command: $0) },
                apply: { [self] in
                    try makePort(namespace)
                }, undo: { [self] in try removePort(namespace) })
            step.isRepair = attached.contains(namespace.namespace.cookie)
            step.rules = Set(needs.filter { $0.namespace.namespace.cookie == namespace.namespace.cookie }.map(\.rule))
            result.before.append(step)
        }
    }

    /// Brings a port that this agent has made ready back to what it was: both ends up, our programs on them.
    private func repair(of port: MirrorPortDevice, in namespace: FollowedNamespace) throws -> PolicyStep? {
        let place = "mirror port of \(namespace.owner ?? "the host")"
        var reports = port.down.map { PlanReport.Step(.change, "\(place): \($0) is down", command: "ip link set \($0) up") }
        let program = try program.get()
        if try !namespace.namespace.inside({ try program.isAttached(out: UInt32(port.out), in: UInt32(port.in)) }) {
            reports.append(PlanReport.Step(.add, "\(place): programs on nilo-m0 and nilo-m1"))
        }
        guard !reports.isEmpty else { return nil }
        var step = PolicyStep(reports, apply: { [self] in try makePort(namespace) }, undo: {})
        step.isRepair = true
        return step
    }

    /// Namespaces whose mirror port runs this agent's programs.
    private var attached: Set<UInt64> = []

    /// Makes the port, or what of it is missing, and puts our programs on it.
    private func makePort(_ namespace: FollowedNamespace) throws {
        let cookie = namespace.namespace.cookie
        if locks[cookie] == nil { locks[cookie] = try NamespaceLock(in: namespace.namespace, patience: Self.patience) }
        _ = try namespace.namespace.inside { try namespace.socket.makeMirrorPort() }
        try attachPort(namespace)
    }

    private func attachPort(_ namespace: FollowedNamespace) throws {
        guard let port = try namespace.socket.mirrorPort() else { return }
        let program = try program.get()
        try namespace.namespace.inside { try program.attach(out: UInt32(port.out), in: UInt32(port.in)) }
        attached.insert(namespace.namespace.cookie)
    }

    private func removePort(_ namespace: FollowedNamespace) throws {
        try namespace.socket.removeMirrorPort()
        attached.remove(namespace.namespace.cookie)
        locks[namespace.namespace.cookie] = nil
    }

    func remove(besides needed: [FollowedNamespace], _ result: inout ActuatorPlan) throws {
        let needed = Set(needed.map(\.namespace.cookie))
        let followed = follower.namespaces.values
        for namespace in followed where !needed.contains(namespace.namespace.cookie) {
            guard try !namespace.socket.links().mirrorPortEnds.isEmpty, try occupant(of: namespace) == nil else { continue }
            result.after.append(
                PolicyStep(
                    PlanReport.Step(.remove, "mirror port of \(namespace.owner ?? "the host")", command: "ip link del nilo-m0"),
                    apply: { [self] in try removePort(namespace) },
                    undo: { [self] in
                        try makePort(namespace)
                    }))
        }
        let cookies = Set(followed.map(\.namespace.cookie))
        locks = locks.filter { cookies.contains($0.key) }
    }

    func withdraw() throws {
        var failure: (any Error)?
        for namespace in follower.namespaces.values {
            do { if try occupant(of: namespace) == nil { try removePort(namespace) } } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }
}
