import Datapath
import Flows
import Netlink
import NetworkTypes

/// A network namespace whose interfaces are followed: its sockets, and what is attached in it.
final class FollowedNamespace {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket
    let monitor: LinkMonitor
    /// What the namespace belongs to: a name, a container, a unit; nil for the agent's own.
    var owner: String?
    var attached: [Int32: InterfaceID] = [:]
    /// What could not be attached and why, so that it is said once and tried again only after a change.
    var refused: [Int32: String] = [:]

    init(_ namespace: NetworkNamespace, owner: String?) throws {
        self.namespace = namespace
        self.owner = owner
        socket = try NetlinkSocket(in: namespace)
        monitor = try LinkMonitor(in: namespace)
    }

    /// The device's counters in the order that the datapath keeps them: ingress, egress.
    func counters(of index: Int32) throws -> [DeviceCounters] {
        guard let link = try socket.link(index) else { throw NetlinkError("read the counters of interface \(index)", code: 19) }
        let roots = try socket.qdiscs(of: index).filter(\.isRoot).map(\.counters)
        var counters = link.deviceCounters(queueDrops: roots.reduce(0) { $0 + UInt64($1.drops) })
        counters[1].waitingPackets = roots.reduce(0) { $0 + UInt64($1.queueLength) }
        counters[1].waitingBytes = roots.reduce(0) { $0 + UInt64($1.backlog) }
        return counters
    }
}

extension LinkObservation {
    func deviceCounters(queueDrops: UInt64) -> [DeviceCounters] {
        [
            DeviceCounters(packets: counters.rxPackets, bytes: counters.rxBytes, driverDrops: counters.rxDropped),
            DeviceCounters(packets: counters.txPackets, bytes: counters.txBytes, driverDrops: counters.txDropped, queueDrops: queueDrops),
        ]
    }
}
