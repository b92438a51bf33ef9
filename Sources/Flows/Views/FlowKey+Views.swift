import NetworkTypes

extension ObservationPoint: Comparable {
    public static func < (a: ObservationPoint, b: ObservationPoint) -> Bool {
        (a.interface, a.direction.rawValue) < (b.interface, b.direction.rawValue)
    }
}

extension FlowKey {
    public var point: ObservationPoint { ObservationPoint(self) }

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
