import Flows
import NetworkTypes

/// One end of a conversation: an address in a network, and a port (0 where the protocol has none).
struct Party: Hashable {
    /// Number of the network, see ``TrafficBook``.
    var network: UInt32
    var port: UInt16
    var address: IPAddress

    static func precedes(_ a: Party, _ b: Party) -> Bool {
        (a.network, a.address, a.port) < (b.network, b.address, b.port)
    }
}

/// Both directions of what two parties say to each other by one protocol, wherever it was seen.
struct ConversationKey: Equatable {
    /// The lesser party first.
    var parties: (Party, Party)
    var transport: UInt8
    /// VNI + 1 of a tunnel's outer packets; 0 for all else.
    var tunnel: UInt32

    static func == (a: ConversationKey, b: ConversationKey) -> Bool {
        a.transport == b.transport && a.tunnel == b.tunnel && a.parties.0 == b.parties.0 && a.parties.1 == b.parties.1
    }

    /// Unknown to whoever chooses the addresses and ports, or a flood could be made to meet in one cell of the table.
    private static let secrets: (UInt64, UInt64) = {
        var hasher = Hasher()
        let first = UInt64(bitPattern: Int64(hasher.finalize()))
        hasher = Hasher()
        hasher.combine(first)
        return (first, UInt64(bitPattern: Int64(hasher.finalize())) | 1)
    }()

    /// The hash for the table: one multiplication a word, where SipHash takes many rounds.
    var mixed: UInt32 {
        let (seed, factor) = Self.secrets
        @inline(__always) func mix(_ h: UInt64, _ word: UInt64) -> UInt64 {
            let product = (h ^ word).multipliedFullWidth(by: factor)
            return product.high ^ product.low
        }
        @inline(__always) func mix(_ h: UInt64, _ party: Party) -> UInt64 {
            let words = party.address.fieldWords
            // The outer addition keeps a word that meets its own image from taking the secret out.
            return mix(mix(mix(h, words.0) &+ seed, words.1) &+ seed, UInt64(party.network) << 16 | UInt64(party.port))
        }
        let ends = mix(mix(seed, parties.0) &+ seed, parties.1)
        return UInt32(truncatingIfNeeded: mix(ends &+ seed, UInt64(transport) << 32 | UInt64(tunnel)) >> 16)
    }

    subscript(side: Int) -> Party { side == 0 ? parties.0 : parties.1 }
}

/// What is remembered of a conversation so that it is counted at one place, once, and in the right direction.
struct Conversation {
    /// What one party sends.
    struct Half {
        /// ``ObservationRule/order(_:source:in:at:)`` of the point that counts it.
        var order = UInt64.max
        /// The epoch in which that point last reported it.
        var reported: UInt64 = 0
        /// Of this epoch, by that point.
        var fresh = Amount()
        /// Of epochs before that, and not yet in a link.
        var held = Amount()
        /// Packets in all.
        var total: UInt64 = 0
        var first = Timestamp(nanoseconds: .max)
        var flags: TCPFlags = []
        /// The handshake as ``Conversation/watch`` saw it, microseconds.
        var handshake: UInt32 = 0
    }

    struct Amount {
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
        var retransmitted: UInt64 = 0

        static func += (a: inout Amount, b: Amount) {
            a.packets &+= b.packets
            a.bytes &+= b.bytes
            a.retransmitted &+= b.retransmitted
        }
    }

    enum Placement: UInt8 {
        /// Waits for an answer.
        case waiting
        case unanswered
        /// At least one end is under a prefix, or the link is that of two networks.
        case folded
        case own
    }

    var key: ConversationKey
    var halves = (Half(), Half())
    /// The interface whose handshake times are taken: the two parts of a round trip are only good together.
    var watch: UInt32 = .max
    var placement = Placement.waiting
    /// The party that serves; of a tunnel the link's second end.
    var server: Int?
    var link: UInt32 = .max
    /// ``LinkRecord/born`` of ``link``.
    var born: UInt32 = 0
    /// 1 + number of the application's name; 0: none known.
    var application: UInt32 = 0
    var started: UInt64
    var placed: UInt64 = 0
    var seen: UInt64
    var last = Timestamp(nanoseconds: .min)
    /// In the list of those to settle in this epoch.
    var isDue = false
    var isLive = true

    subscript(side: Int) -> Half {
        get { side == 0 ? halves.0 : halves.1 }
        set { if side == 0 { halves.0 = newValue } else { halves.1 = newValue } }
    }

    /// Both ends take part: a scan or an address that was made up does not get so far. One that never answers takes part in what is meant
    /// to be one-way (syslog, sFlow, RTP): some packets, and not TCP.
    func isAnswered(server: Int) -> Bool {
        let (asked, answered) = (self[1 - server].total, self[server].total)
        if key.transport == IPProtocol.tcp.rawValue { return asked >= 2 && answered >= 1 }
        return asked >= 1 && answered >= 1 || asked + answered >= 8 || key[server].address.isMulticast
    }
}
