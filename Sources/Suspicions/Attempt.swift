import Flows
import NetworkTypes

/// What a flow's first records tell of the one who began it.
struct Attempt {
    enum Outcome {
        /// A connection was opened and not completed, or was completed and carried nothing.
        case vain
        case answered
        /// A datagram or an echo request: whether it was answered shows by flows the other way.
        case open
    }

    var outcome: Outcome
    var source: IPAddress
    var destination: IPAddress
    /// 0 for what has no ports.
    var port: UInt16
    var vni: UInt32?
    var tuple: FlowTuple

    /// Frames without payload are no longer than this: Ethernet with two tags, IPv6, TCP with timestamps.
    private static let emptyBytes: UInt32 = 94

    /// nil for a flow of answers, and what is not IP.
    init?(_ record: FlowRecord) {
        let tuple = record.key.inner ?? record.key.outer
        guard let source = tuple.source, let destination = tuple.destination else { return nil }
        (self.source, self.destination, self.tuple) = (source, destination, tuple)
        vni = record.key.vni
        port = 0
        switch (tuple.protocol, tuple.form) {
        case (.tcp, .ports):
            port = tuple.destinationPort
            let flags = record.traits.tcpFlags
            guard flags.contains(.syn) else { return nil }
            if !flags.contains(.ack) {
                outcome = .vain
            } else if tuple.destinationPort < tuple.sourcePort {
                // Answers have both flags as well, and come from the lower port.
                let isOver = !flags.isDisjoint(with: [.fin, .rst])
                outcome = isOver && record.traits.largest <= Self.emptyBytes ? .vain : .answered
            } else {
                return nil
            }
        case (_, .ports):
            guard tuple.destinationPort <= tuple.sourcePort else { return nil }
            port = tuple.destinationPort
            outcome = .open
        case (.icmp, .icmp) where tuple.destinationPort >> 8 == 8, (.icmpv6, .icmp) where tuple.destinationPort >> 8 == 128:
            outcome = .open
        default:
            return nil
        }
    }
}
