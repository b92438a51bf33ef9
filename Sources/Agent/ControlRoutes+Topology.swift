import API
import Reports
import Topology

/// What may be asked of the topology. The answer is drawn up while the client takes it, from a snapshot that does not change.
extension ControlRoutes {
    static func topology(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let network = query.text("network")
        let top = try query.number("top", in: 1...1_000_000, standard: 5000)
        return { agent in
            guard let snapshot = agent.topology?.snapshot, snapshot.epoch > 0 else {
                return .failure(503, "the topology is not known yet", hint: "try again in a second")
            }
            var wanted: Set<NodeID>?
            if let network {
                switch snapshot.find(network) {
                case .found(let node): wanted = snapshot.extent(of: node)
                case .nothing: return .failure(404, "nothing in the topology is called \(network)", hint: "nilo topology lists all")
                case .ambiguous(let keys):
                    let names = keys.prefix(5).map(\.description).joined(separator: ", ")
                    return .failure(404, "\(network) may be \(names)", hint: "give more of the key")
                }
            }
            return try json(TopologyReport(snapshot, of: wanted, talks: top))
        }
    }
}

extension Snapshot {
    /// A node and all that is in it, at any depth.
    fileprivate func extent(of node: NodeID) -> Set<NodeID> {
        var found: Set<NodeID> = [node]
        var rest = [node]
        while let next = rest.popLast() {
            for member in members(of: next) where found.insert(member).inserted { rest.append(member) }
        }
        return found
    }
}
