import API
import Reports
import Topology

/// What may be asked of the topology. The answer is drawn up while the client takes it, from a snapshot that does not change.
extension ControlRoutes {
    /// A line of the answer.
    enum TopologyRow: Sendable {
        case entity(NodeID)
        case link(LinkID)
    }

    static func topology(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (network, layer) = (query.text("network"), try query.optionalChoice("layer", of: TopologyLayer.self))
        let top = try query.number("top", in: 1...1_000_000, standard: 5000)
        return { agent in
            let teller = try agent.topologyTeller()
            let place = try network.map { try teller.snapshot.node(named: $0) }
            let selection = TopologySelection(teller, in: place, layer: layer, top: top)
            return try topology(selection, teller, live: true, agent.memory)
        }
    }

    /// A selection of a snapshot, piece by piece.
    static func topology(_ selection: TopologySelection, _ teller: TopologyTeller, live: Bool, _ memory: ReturnedMemory) throws
        -> ControlResponse
    {
        let head = TopologyReport(headOf: teller.snapshot, live: live, omitted: selection.omitted)
        let sections = [
            ListPieces<TopologyRow>.Section(member: "entities", rows: selection.nodes.map { .entity($0) }),
            ListPieces<TopologyRow>.Section(member: "links", rows: selection.links.map { .link($0) }),
        ]
        let pieces = try ListPieces(head, sections, memory: memory) { row in
            switch row {
            case .entity(let node): try encoded(teller.entity(node))
            // A selection has no links that are not told.
            case .link(let link): try teller.link(link).map { try encoded($0) } ?? []
            }
        }
        return ControlResponse { try pieces.next() }
    }
}

/// What a question about the topology cannot be answered for, as the client is told.
struct TopologyRefusal: Error {
    var status: UInt32
    var error: String
    var hint: String

    var response: ControlResponse { .failure(status, error, hint: hint) }

    static let notYet = TopologyRefusal(status: 503, error: "the topology is not known yet", hint: "try again in a second")
}

extension Agent {
    /// The present topology, to be told of.
    func topologyTeller() throws -> TopologyTeller {
        guard let snapshot = topology?.snapshot, snapshot.epoch > 0 else { throw TopologyRefusal.notYet }
        return TopologyTeller(snapshot)
    }
}

extension Snapshot {
    /// What a person means by a name: a key, or as much of its end as tells it apart.
    func node(named text: String) throws(TopologyRefusal) -> NodeID {
        switch find(text) {
        case .found(let node): return node
        case .nothing:
            throw TopologyRefusal(status: 404, error: "nothing in the topology is called \(text)", hint: "nilo topology lists all")
        case .ambiguous(let keys):
            let names = keys.prefix(5).map(\.description).joined(separator: ", ")
            throw TopologyRefusal(status: 404, error: "\(text) may be \(names)", hint: "give more of the key")
        }
    }
}
