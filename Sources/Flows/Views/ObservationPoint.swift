import NetworkTypes

/// Where packets were counted. A packet has exactly one key at a point, so sums over one point never count a packet twice.
public struct ObservationPoint: Hashable, Sendable, Comparable {
    public var interface: InterfaceID
    public var direction: Direction

    public init(interface: InterfaceID, direction: Direction) {
        self.interface = interface
        self.direction = direction
    }

    public static func < (a: ObservationPoint, b: ObservationPoint) -> Bool {
        (a.interface, a.direction.rawValue) < (b.interface, b.direction.rawValue)
    }
}

extension FlowKey {
    public var point: ObservationPoint { ObservationPoint(interface: interface, direction: direction) }

    /// The key with `ingress` in place of its direction: equal for the two ways in which one interface can see a packet.
    var withoutDirection: FlowKey {
        var key = self
        key.words.6 &= ~(0xFF << 32)
        return key
    }
}

extension FlowTuple {
    /// Addresses and ports swapped; for an ICMP echo also request and reply.
    public var reversed: FlowTuple {
        FlowTuple(sourceWords: destinationWords, destinationWords: sourceWords, last: reversedLast)
    }
}
