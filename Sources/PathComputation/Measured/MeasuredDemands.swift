import NetworkTypes
import Topology

/// What is measured of who talks to whom, as demands on the network: each link of communication is two, one from each end.
///
/// Where a demand starts: in the namespace that has the sender's address. An address that no known interface has is beyond the network: its
/// packets come in where those in the other direction go out, and by several interfaces in the same shares.
public struct MeasuredDemands: Sendable, Hashable {
    public var demands: [Demand]
    /// What could not be placed: it is in no load.
    public var unplaced: [UnplacedTraffic]

    /// - Parameters:
    ///   - earlier: an older snapshot of the same topology: rates are means of the time between the two. nil: of the latest epoch alone.
    ///   - epoch: how long an epoch is.
    init(_ snapshot: Snapshot, since earlier: Snapshot?, epoch: Duration, reader: SnapshotReader, plane: ForwardingPlane) {
        demands = []
        unplaced = []
        var talks: [(key: String, link: LinkID)] = []
        snapshot.forEachLink { link, kind, _, _ in
            if kind == .talks { talks.append((snapshot.key(of: link).description, link)) }
        }
        talks.sort { $0.key < $1.key }
        var placing = Placing(snapshot: snapshot, reader: reader, plane: plane)
        for (key, link) in talks {
            guard case .flow(let transport, let port, let application) = snapshot.key(of: link).qualifier,
                let amounts = Amounts(of: link, in: snapshot, since: earlier, epoch: epoch)
            else { continue }
            let (client, server) = snapshot.ends(of: link)
            for (from, to, amount, isForward) in [(client, server, amounts.forward, true), (server, client, amounts.backward, false)] {
                guard amount.packets > 0, amount.seconds > 0 else { continue }
                // Frames are counted with their Ethernet header, without VLAN tags or tunnels around them.
                let size = max(20, (amount.bytes / amount.packets) - Double(EncapsulationBytes.ethernet))
                let rate = BitRate(bitsPerSecond: size * amount.packets * 8 / amount.seconds)
                guard var demand = placing.demand(from, to) else {
                    unplaced.append(UnplacedTraffic(link: key, isForward: isForward, rate: rate, reason: placing.reason(from, to)))
                    continue
                }
                demand.base.packet.transport = transport
                demand.base.packet.sourcePort = isForward ? 0 : port
                demand.base.packet.destinationPort = isForward ? port : 0
                demand.base.packet.size = Int(size.rounded())
                demand.base.application = application
                for (entry, share) in demand.entries {
                    var one = demand.base
                    one.entry = entry
                    if let entry { one.namespace = entry.namespace }
                    one.rate = BitRate(bitsPerSecond: rate.bitsPerSecond * share)
                    demands.append(one)
                }
            }
        }
    }
}

/// Traffic that was measured and is in no prediction.
public struct UnplacedTraffic: Sendable, Hashable {
    public enum Reason: Sendable, Hashable {
        /// To several receivers: multicast or broadcast.
        case group
        /// An end is not one address but a whole network (the topology's bounds folded it).
        case folded
        /// Neither end is in the known network, and where its packets come in is not to be seen.
        case foreign
    }
    /// The key of the link of communication.
    public var link: String
    /// From client to server.
    public var isForward: Bool
    public var rate: BitRate
    public var reason: Reason
}

/// What went over a link of communication in some time.
private struct Amounts {
    struct Side {
        var packets: Double
        var bytes: Double
        var seconds: Double
    }
    var forward: Side
    var backward: Side

    init?(of link: LinkID, in snapshot: Snapshot, since earlier: Snapshot?, epoch: Duration) {
        guard let now = snapshot.traffic(of: link) else { return nil }
        guard let earlier else {
            // What was measured in an epoch before is over.
            guard now.epoch == snapshot.epoch else { return nil }
            func side(_ side: TrafficSummary.Side) -> Side {
                Side(packets: Double(side.packets), bytes: Double(side.bytes), seconds: epoch.seconds)
            }
            (forward, backward) = (side(now.forward), side(now.backward))
            return
        }
        let before = earlier.id(of: snapshot.key(of: link)).flatMap { earlier.traffic(of: $0) } ?? TrafficSummary()
        let seconds = Double(snapshot.time.nanoseconds - earlier.time.nanoseconds) * 1e-9
        guard seconds > 0 else { return nil }
        func side(_ now: TrafficSummary.Side, _ before: TrafficSummary.Side) -> Side {
            // A link that came anew begins at nothing.
            let isSame = now.totalPackets >= before.totalPackets && now.totalBytes >= before.totalBytes
            return Side(
                packets: Double(isSame ? now.totalPackets - before.totalPackets : now.totalPackets),
                bytes: Double(isSame ? now.totalBytes - before.totalBytes : now.totalBytes), seconds: seconds)
        }
        (forward, backward) = (side(now.forward, before.forward), side(now.backward, before.backward))
    }
}

/// Finds out where demands start.
private struct Placing {
    let snapshot: Snapshot
    let reader: SnapshotReader
    let plane: ForwardingPlane
    private var walker: Walker
    /// The namespaces with an interface in a network.
    private var members: [NetworkKey: Set<String>] = [:]
    private var entries: [Question: [(LinkPlace, Double)]] = [:]

    init(snapshot: Snapshot, reader: SnapshotReader, plane: ForwardingPlane) {
        self.snapshot = snapshot
        self.reader = reader
        self.plane = plane
        walker = Walker(plane)
    }

    private struct Question: Hashable {
        var namespace: String
        var address: IPAddress
    }

    struct Found {
        var base: Demand
        /// nil: from a socket of the namespace.
        var entries: [(LinkPlace?, share: Double)]
    }

    /// An address for the node: its own, or one of those that were folded into it.
    private func address(of node: NodeID) -> IPAddress? {
        switch snapshot.key(of: node) {
        case .endpoint(_, let address): address
        case .prefix(_, let prefix): prefix.length == 0 ? nil : prefix.address
        default: nil
        }
    }

    private func network(of node: NodeID) -> NetworkKey? {
        switch snapshot.key(of: node) {
        case .endpoint(let network, _), .prefix(let network, _), .network(let network): network
        default: nil
        }
    }

    func reason(_ from: NodeID, _ to: NodeID) -> UnplacedTraffic.Reason {
        guard address(of: from) != nil, let target = address(of: to) else { return .folded }
        return isGroup(target, to) ? .group : .foreign
    }

    private func isGroup(_ address: IPAddress, _ node: NodeID) -> Bool {
        if address.isMulticast || address.isLimitedBroadcast { return true }
        if case .endpoint(let state) = snapshot.state(of: node) { return state.isBroadcast }
        return false
    }

    /// nil: see ``reason(_:_:)``.
    mutating func demand(_ from: NodeID, _ to: NodeID) -> Found? {
        guard let source = address(of: from), let destination = address(of: to), !isGroup(destination, to) else { return nil }
        let networks = Set([network(of: from), network(of: to)].compactMap { $0?.description })
        let packet = Packet(source: source, destination: destination)
        func base(_ namespace: String) -> Demand {
            Demand(namespace: namespace, packet: packet, rate: BitRate(bitsPerSecond: 0), networks: networks)
        }
        if let home = reader.residences[from] { return Found(base: base(home), entries: [(nil, 1)]) }
        // The way back, from the other end or, where that is beyond too, from the first namespaces that know one.
        let starts: [String]
        if let home = reader.residences[to] { starts = [home] } else { starts = transit(network(of: from), network(of: to)) }
        for start in starts {
            let ways = exits(to: source, from: start)
            if !ways.isEmpty { return Found(base: base(start), entries: ways.map { ($0.0, $0.1) }) }
        }
        return nil
    }

    /// Where packets between two addresses beyond the network may pass: in the namespaces whose wires they were seen on.
    private mutating func transit(_ networks: NetworkKey?...) -> [String] {
        var found: Set<String> = []
        for network in networks.compactMap({ $0 }) {
            if let known = members[network] {
                found.formUnion(known)
                continue
            }
            var here: Set<String> = []
            if let node = snapshot.id(of: .network(network)) {
                for member in snapshot.links(of: node) where member.kind == .member {
                    if let place = reader.places[member.other] { here.insert(place.namespace) }
                }
            }
            members[network] = here
            found.formUnion(here)
        }
        return found.sorted()
    }

    private mutating func exits(to address: IPAddress, from namespace: String) -> [(LinkPlace, Double)] {
        let question = Question(namespace: namespace, address: address)
        if let known = entries[question] { return known }
        var shares: [LinkPlace: Double] = [:]
        for branch in plane.walk(Packet(destination: address, transport: .tcp), from: namespace, by: &walker).branches {
            if case .left(let place) = branch.outcome { shares[place, default: 0] += branch.share }
        }
        // Copies of a flooded frame have the whole share each.
        let sum = shares.values.reduce(0, +)
        let found = shares.sorted { $0.key < $1.key }.map { ($0.key, $0.value / sum) }
        entries[question] = found
        return found
    }
}
