import Flows
import NetworkTypes

/// Which of the places that see a flow is the one that counts it, so that nothing is counted twice in the traffic matrix.
///
/// A flow is one direction of a conversation, between two endpoints whatever networks it crosses. Of the points that reported it, the one
/// with the lowest rank counts, and of equal ranks the one with the lowest interface number:
///
///     0  egress of the interface that has the source's address: where the packets begin
///     1  ingress of that interface's veth peer
///     2  ingress of an interface in the source's network     3  its egress
///     4  ingress of an interface in another network          5  its egress
///     6  ingress of an underlay, in a tunnel                 7  its egress
///
/// So it is the point nearest the source, ingress before egress. A flow stays with its point until a better one reports it, or until its
/// own has been silent for ``patience`` seconds in which another one was not (a path changed). Counts that two points reported of one epoch
/// are never added. Inner packets counted in a tunnel only have the outer headers in their bytes.
public struct ObservationRule: Sendable {
    /// Seconds.
    static let patience: UInt64 = 3

    struct Place {
        var namespace: UInt64
        var index: Int32
        var network: NetworkKey
        var addresses: Set<IPAddress>
        var peerAddresses: Set<IPAddress>
    }

    /// Rank, interface, direction in one number: less is better.
    static func order(_ key: FlowKey, source: IPAddress, in network: NetworkKey, at place: Place) -> UInt64 {
        let isIngress = key.direction == .ingress
        let rank: UInt64
        if key.isVXLAN {
            rank = isIngress ? 6 : 7
        } else if !isIngress, place.addresses.contains(source) {
            rank = 0
        } else if isIngress, place.peerAddresses.contains(source) {
            rank = 1
        } else if place.network == network {
            rank = isIngress ? 2 : 3
        } else {
            rank = isIngress ? 4 : 5
        }
        return rank << 40 | UInt64(key.interface.rawValue) << 1 | (isIngress ? 0 : 1)
    }
}
