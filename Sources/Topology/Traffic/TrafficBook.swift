import Flows
import NetworkTypes

/// Who talks to whom: takes what flows have done, and keeps the communication links of the graph.
///
/// Everything in it is bounded by ``TopologyLimits``. The parts: `merge` places what was reported with its conversation by
/// ``ObservationRule``; `settle` gives each conversation its link, once it is known who serves (``ServerSide``) and that there is an
/// answer; `expire` lets go.
struct TrafficBook {
    let limits: TopologyLimits
    var counters = FoldCounters()
    var conversations: ConversationTable
    var folds = FoldTable()
    /// How many links name an endpoint as the server of a port.
    var servers: [ServerKey: UInt32] = [:]
    /// Communication links in the graph.
    var talks = 0
    /// Endpoints that came with traffic in this epoch.
    var made: [NodeID] = []
    var waiting: [UInt32] = []
    /// Links that carried something in this epoch.
    var active: [LinkID] = []
    var linkHand = 0
    /// What is known of a round trip through a tunnel until the other part is.
    var tunnelTrips: [TunnelPoint: (UInt32, UInt32)] = [:]
    private(set) var clock: EpochClock

    private(set) var resolution = AddressResolution()
    private var places: [InterfaceID: ObservationRule.Place] = [:]
    private var networkNumbers: [NetworkKey: UInt32] = [:]
    private var networks: [NetworkKey] = []
    private var resolved: [Sighting: UInt32] = [:]
    private var applicationNumbers: [String: UInt32] = [:]
    private(set) var applications: [String] = []
    private(set) var due: [UInt32] = []

    struct ServerKey: Hashable {
        var node: UInt32
        var transport: UInt8
        var port: UInt16
    }

    private struct Sighting: Hashable {
        var network: UInt32
        var address: IPAddress
    }

    init(limits: TopologyLimits) {
        self.limits = limits
        conversations = ConversationTable(limit: limits.conversations)
        let longest = max(limits.idleEpochs, limits.conversationIdleEpochs, limits.answerEpochs, limits.unfoldEpochs)
        clock = EpochClock(seconds: max(longest, ObservationRule.patience))
    }

    /// An epoch begins. True once a second: then there is something to ``expire(graph:isClaimed:)``.
    mutating func begin(epoch: UInt64, at time: Timestamp) -> Bool { clock.advance(to: time, epoch: epoch) }

    func network(_ number: UInt32) -> NetworkKey { networks[Int(number)] }

    private mutating func number(of network: NetworkKey) -> UInt32 {
        if let known = networkNumbers[network] { return known }
        networks.append(network)
        networkNumbers[network] = UInt32(networks.count - 1)
        return UInt32(networks.count - 1)
    }

    mutating func application(_ name: String) -> UInt32 {
        if let known = applicationNumbers[name] { return known }
        applications.append(name)
        applicationNumbers[name] = UInt32(applications.count)
        return UInt32(applications.count)
    }

    /// What addresses mean, and where the counted interfaces are, has changed. Conversations whose ends are elsewhere now begin anew.
    mutating func rewire(_ resolution: AddressResolution, _ places: [InterfaceID: ObservationRule.Place], graph: inout Graph) {
        self.places = places
        resolved = [:]
        guard self.resolution != resolution else { return }
        self.resolution = resolution
        for number in 0..<UInt32(conversations.entries.count) where conversations[number].isLive {
            let parties = conversations[number].key.parties
            let moved =
                current(parties.0, beside: parties.1) != parties.0.network || current(parties.1, beside: parties.0) != parties.1.network
            if moved { forget(number, graph: &graph, removingLink: true) }
        }
    }

    /// Where the party would be placed now. What was external is looked at from the other party's side.
    private mutating func current(_ party: Party, beside other: Party) -> UInt32 {
        let own = networks[Int(party.network)]
        return resolve(party.address, seenIn: own == .external ? other.network : party.network)
    }

    private mutating func resolve(_ address: IPAddress, seenIn network: UInt32) -> UInt32 {
        let sighting = Sighting(network: network, address: address)
        if let known = resolved[sighting] { return known }
        let found = number(of: resolution.network(of: address, seenIn: networks[Int(network)]))
        if resolved.count >= 262_144 { resolved.removeAll(keepingCapacity: true) }
        resolved[sighting] = found
        return found
    }

    // MARK: merging

    /// What mirror sessions make, here or on another host, is not what anybody says: neither the copies nor the tunnels that carry them.
    static let mirrorVNIs: ClosedRange<UInt32> = 0xFF_0000...0xFF_FFFF

    mutating func merge(_ delta: FlowDelta, epoch: UInt64, graph: inout Graph) {
        if delta.traits.notes.contains(.copy) || delta.key.vni.map(Self.mirrorVNIs.contains) == true {
            counters.copiedDeltas += 1
            return
        }
        guard let place = places[delta.key.interface] else {
            counters.unplacedDeltas += 1
            return
        }
        guard let inner = delta.key.inner, let vni = delta.key.vni else {
            merge(delta, delta.key.outer, number(of: place.network), place, tunnel: 0, epoch, &graph)
            return
        }
        merge(delta, inner, number(of: resolution.network(ofVNI: vni)), place, tunnel: 0, epoch, &graph)
        merge(delta, delta.key.outer, number(of: place.network), place, tunnel: vni + 1, epoch, &graph)
    }

    /// The key of a tuple seen in a network, and which of its parties is the source.
    private mutating func conversationKey(_ tuple: FlowTuple, _ network: UInt32, tunnel: UInt32) -> (ConversationKey, side: Int)? {
        guard let source = tuple.source, let destination = tuple.destination else { return nil }
        let hasPorts = tuple.form == .ports
        let from = Party(network: resolve(source, seenIn: network), port: hasPorts ? tuple.sourcePort : 0, address: source)
        let to = Party(network: resolve(destination, seenIn: network), port: hasPorts ? tuple.destinationPort : 0, address: destination)
        let isSwapped = Party.precedes(to, from)
        let key = ConversationKey(parties: isSwapped ? (to, from) : (from, to), transport: tuple.protocol.rawValue, tunnel: tunnel)
        return (key, isSwapped ? 1 : 0)
    }

    private mutating func merge(
        _ delta: FlowDelta, _ tuple: FlowTuple, _ network: UInt32, _ place: ObservationRule.Place, tunnel: UInt32, _ epoch: UInt64,
        _ graph: inout Graph
    ) {
        guard let (key, side) = conversationKey(tuple, network, tunnel: tunnel) else {
            counters.otherDeltas += 1
            return
        }
        let number: UInt32
        if let known = conversations.find(key) {
            number = known
        } else {
            if conversations.count == conversations.limit {
                counters.evictedFlows += 1
                forget(conversations.victim(), graph: &graph, removingLink: false)
            }
            number = conversations.insert(key, epoch: epoch)
        }
        var observed = delta.key
        // The tunnel's own packets are plain packets of the underlay.
        if tunnel != 0 { observed = FlowKey(outer: tuple, interface: observed.interface, direction: observed.direction) }
        let order = ObservationRule.order(observed, source: key[side].address, in: networks[Int(key[side].network)], at: place)
        if !conversations[number].isDue {
            conversations[number].isDue = true
            due.append(number)
        }
        let stale = clock.epoch(secondsAgo: ObservationRule.patience)
        conversations[number].add(delta, side: side, order: order, epoch: epoch, stale: stale)
    }

    /// What is to be settled, and from now on is not.
    mutating func takeDue() -> [UInt32] {
        defer { due.removeAll(keepingCapacity: true) }
        return due
    }

    /// The conversation that a verdict is about.
    mutating func find(_ key: FlowKey) -> UInt32? {
        guard let place = places[key.interface] else { return nil }
        let tuple = key.inner ?? key.outer
        let network = number(of: key.vni.map { resolution.network(ofVNI: $0) } ?? place.network)
        return conversationKey(tuple, network, tunnel: 0).flatMap { conversations.find($0.0) }
    }
}

extension Conversation {
    /// - Parameter stale: a point that last reported before that epoch gives way to another one.
    mutating func add(_ delta: FlowDelta, side: Int, order: UInt64, epoch: UInt64, stale: UInt64) {
        seen = epoch
        last = max(last, delta.traits.last)
        var half = self[side]
        half.first = min(half.first, delta.traits.first)
        half.flags.formUnion(delta.traits.tcpFlags)
        if delta.traits.handshakeMicroseconds != 0, watch == .max || watch == delta.key.interface.rawValue {
            watch = delta.key.interface.rawValue
            half.handshake = delta.traits.handshakeMicroseconds
        }
        let amount = Amount(
            packets: delta.totals.wirePackets, bytes: delta.totals.wireBytes, retransmitted: delta.transport.retransmitted)
        if order == half.order {
            half.fresh += amount
            half.reported = epoch
        } else if order < half.order || half.reported < stale {
            half.order = order
            half.reported = epoch
            half.fresh = amount
        }
        self[side] = half
    }
}
