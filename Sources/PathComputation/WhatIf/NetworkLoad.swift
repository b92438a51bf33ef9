import NetworkTypes

/// The ways that demands take through a network, and what they add up to on each link.
///
/// Loads are offered loads: what is sent, not what gets through where a link is too small.
public struct NetworkLoad: Sendable, Hashable {
    /// In the order of the demands.
    public var walks: [Walk]
    /// Of every interface and direction with traffic, in the order of their places.
    public var links: [LinkLoad]

    public init(_ demands: [Demand], over plane: ForwardingPlane) {
        var walker = Walker(plane)
        var walks: [Walk] = []
        walks.reserveCapacity(demands.count)
        for demand in demands {
            if let entry = demand.entry {
                walks.append(plane.walk(demand.packet, enteringAt: entry, by: &walker))
            } else {
                walks.append(plane.walk(demand.packet, from: demand.namespace, by: &walker))
            }
        }
        self.init(demands, taking: walks, over: plane)
    }

    /// - Parameter walks: the ways that the demands take, in their order.
    init(_ demands: [Demand], taking walks: [Walk], over plane: ForwardingPlane) {
        self.walks = walks
        var rates: [LinkLoad.Key: (bits: Double, expected: Bool)] = [:]
        for (demand, walk) in zip(demands, walks) where demand.packet.size > 0 {
            for hop in walk.passages {
                let key = LinkLoad.Key(place: hop.place, direction: hop.direction)
                let bits = demand.rate.bitsPerSecond * hop.share * Double(hop.frameBytes) / Double(demand.packet.size)
                rates[key, default: (0, false)].bits += bits
                if hop.share < 1 { rates[key]?.expected = true }
            }
        }
        links = rates.map { key, value in
            let link = plane.state.link(key.place)
            return LinkLoad(
                place: key.place, name: link?.name ?? "", direction: key.direction, rate: BitRate(bitsPerSecond: value.bits),
                capacity: link?.capacity, isExpectation: value.expected)
        }
        links.sort { ($0.place, $0.direction.rawValue) < ($1.place, $1.direction.rawValue) }
    }

    public func load(of place: LinkPlace, _ direction: Hop.Direction) -> LinkLoad? {
        links.first { $0.place == place && $0.direction == direction }
    }

    /// The link with the highest utilisation; nil where no capacity is known.
    public var tightest: LinkLoad? { links.filter { $0.utilisation != nil }.max { ($0.utilisation ?? 0) < ($1.utilisation ?? 0) } }

    /// By what factor all demands can grow together until the first link is full; nil where no capacity is known.
    public var headroom: Double? { tightest?.utilisation.flatMap { $0 > 0 ? 1 / $0 : nil } }
}

/// What goes over an interface in one direction, in bits of frames as the interface counts them (without preamble and checksum).
public struct LinkLoad: Sendable, Hashable {
    struct Key: Hashable {
        var place: LinkPlace
        var direction: Hop.Direction
    }
    public var place: LinkPlace
    public var name: String
    public var direction: Hop.Direction
    public var rate: BitRate
    public var capacity: BitRate?
    /// Part of it comes from flows that spread over several ways: right for many flows, not for one.
    public var isExpectation: Bool

    /// 1: full. nil where the capacity is not known.
    public var utilisation: Double? {
        capacity.flatMap { $0.bitsPerSecond > 0 ? rate.bitsPerSecond / $0.bitsPerSecond : nil }
    }
    /// What is left; nil where the capacity is not known.
    public var headroom: BitRate? { capacity.map { BitRate(bitsPerSecond: max(0, $0.bitsPerSecond - rate.bitsPerSecond)) } }
}
