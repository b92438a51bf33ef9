import API
import NetworkTypes
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
        let moment = try query.moment("at", roundedUp: true)
        // A second that is told as a whole is rounded up to its end.
        if let moment, moment - Timestamp.now >= .seconds(1) {
            throw ControlQuery.Fault(field: "at", value: query.text("at"), reason: "it is yet to come")
        }
        return { agent in
            let memory = agent.memory
            @Sendable func answer(_ teller: TopologyTeller, _ coverage: HistoryReader.Coverage? = nil) throws -> ControlResponse {
                // Before the history begins there is nothing that the name could be of.
                if let begins = coverage?.begins {
                    return try json(TopologyReport(headOf: teller.snapshot, live: false, omitted: 0, historyBegins: begins))
                }
                let place = try network.map { try teller.snapshot.node(named: $0) }
                let selection = TopologySelection(teller, in: place, layer: layer, top: top)
                return try topology(selection, teller, live: moment == nil, gap: coverage?.gap, memory)
            }
            if let moment {
                let reader = try agent.history()
                return later {
                    let (snapshot, coverage) = (try reader.snapshot(at: moment), try reader.coverage(of: moment))
                    let loads = coverage.isSeen ? try RateReader(reader).loads(snapshot) : [:]
                    return try answer(TopologyTeller(snapshot, loads: loads), coverage)
                }
            }
            let latest = try agent.knownTopology()
            return later { try answer(TopologyTeller(latest)) }
        }
    }

    /// A selection of a snapshot, piece by piece.
    static func topology(
        _ selection: TopologySelection, _ teller: TopologyTeller, live: Bool, gap: GapReport? = nil, _ memory: ReturnedMemory
    ) throws -> ControlResponse {
        let head = TopologyReport(headOf: teller.snapshot, live: live, omitted: selection.omitted, gap: gap)
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

    static let notKept = TopologyRefusal(
        status: 404, error: "the topology is not kept", hint: "topology.kept of the configuration is false")
    static let noHistory = TopologyRefusal(
        status: 404, error: "no history is kept", hint: "history.file and topology.kept of the configuration say where")
    static let notYet = TopologyRefusal(status: 503, error: "the topology is not known yet", hint: "try again in a second")
}

extension Agent {
    /// The present topology, to be told of.
    func topologyTeller() throws(TopologyRefusal) -> TopologyTeller { TopologyTeller(try knownTopology()) }

    /// - Throws: before the first is known, and where none is kept.
    func knownTopology() throws(TopologyRefusal) -> TopologyThread.Latest {
        guard configuration.topology.isKept else { throw .notKept }
        guard let latest = topology?.latest, latest.snapshot.time.nanoseconds > 0 else { throw .notYet }
        return latest
    }

    /// - Throws: where nothing is kept.
    func history() throws(TopologyRefusal) -> HistoryReader {
        guard let historyReader else { throw .noHistory }
        return historyReader
    }
}

extension Snapshot {
    /// What a packet can start from or go to.
    func end(_ node: NodeID, named text: String) throws(TopologyRefusal) -> NodeID {
        switch key(of: node).kind {
        case .endpoint, .interface: return node
        case let kind:
            throw TopologyRefusal(
                status: 404, error: "\(text) is a \(kind), and no end of a packet's way",
                hint: "a way is from one address or interface (NAMESPACE:NAME) to another")
        }
    }

    /// What a series is of: `total`, a gauge of the host, a key, or the key of what has that name. An interface goes before the segment that
    /// it alone is in, which is called the same and carries the same.
    func seriesSubject(_ text: String) throws(TopologyRefusal) -> String {
        if text == SeriesKey.total || HostGauge(rawValue: text) != nil || EntityKey(text) != nil { return text }
        if case .ambiguous(let keys) = finding(text) {
            let interfaces = keys.filter { $0.kind == .interface }
            if interfaces.count == 1 { return interfaces[0].description }
        }
        return key(of: try node(named: text)).description
    }

    /// Control characters and spaces of a name stand in its key as %XX; who asks for the name itself means the same.
    private func finding(_ text: String) -> Finding {
        let found = find(text)
        guard found == .nothing, text.utf8.contains(where: { $0 <= 32 || $0 == 127 }) else { return found }
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            guard byte <= 32 || byte == 127 else { return [byte] }
            return [UInt8(ascii: "%")] + [byte >> 4, byte & 15].flatMap { String($0, radix: 16).utf8 }
        }
        return find(String(decoding: bytes, as: UTF8.self))
    }

    /// What a person means by a name: a key, or as much of its end as tells it apart.
    func node(named text: String) throws(TopologyRefusal) -> NodeID {
        switch finding(text) {
        case .found(let node): return node
        case .nothing:
            throw TopologyRefusal(status: 404, error: "nothing in the topology is called \(text)", hint: "nilo topology lists all")
        case .ambiguous(let keys):
            let names = keys.prefix(5).map(\.description).joined(separator: ", ")
            throw TopologyRefusal(status: 404, error: "\(text) may be \(names)", hint: "give more of the key")
        }
    }
}
