import Netlink
import NetworkTypes
import Reports

/// Finds the local processes that flows belong to, in the namespaces where they were seen, as they are now.
///
/// Looked up here and not by the agent, which has given up the right to read other processes' descriptors.
struct FlowOwners {
    private enum Sockets {
        case table(OwnerTable)
        case unknown(String)
    }

    private var sockets: [String?: Sockets] = [:]

    /// Sets `owner` of each flow.
    mutating func name(_ list: inout FlowListReport) {
        for index in list.flows.indices { list.flows[index].owner = owner(of: list.flows[index]) }
    }

    private mutating func owner(of flow: FlowReport) -> String {
        let tuple = flow.tuple
        guard let source = tuple.source.flatMap(IPAddress.init), let destination = tuple.destination.flatMap(IPAddress.init),
            let protocolName = tuple.protocol, let number = IPProtocol(protocolName), let from = tuple.sourcePort,
            let to = tuple.destinationPort
        else { return OwnerTable.Owner.unknown(.otherProtocol).description }
        switch sockets(in: flow.namespace) {
        case .unknown(let why): return "unknown: \(why)"
        case .table(let table):
            let isEgress = flow.direction == "egress"
            return table.lookup(
                ipProtocol: number.rawValue, local: isEgress ? source : destination, localPort: isEgress ? from : to,
                remote: isEgress ? destination : source, remotePort: isEgress ? to : from
            ).description
        }
    }

    private mutating func sockets(in namespace: String?) -> Sockets {
        if let known = sockets[namespace] { return known }
        let found: Sockets
        do {
            if let namespace {
                if let name = namespaceName(of: namespace) {
                    found = .table(try OwnerTable(in: .named(name)))
                } else {
                    found = .unknown("in \(namespace)")
                }
            } else {
                found = .table(try OwnerTable())
            }
        } catch {
            found = .unknown("\(error)")
        }
        sockets[namespace] = found
        return found
    }
}
