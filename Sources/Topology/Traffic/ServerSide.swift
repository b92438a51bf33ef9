import Flows
import NetworkTypes

/// Which of two parties is the server, so that a client's ephemeral port does not become a service.
struct ServerSide {
    /// Ports at or above it are given to clients (Linux's default of ip_local_port_range(7)).
    static let ephemeral: UInt16 = 32_768

    /// Decides in this order, each step only where the ones before are even:
    ///
    /// 1. a party that is known to serve that port, and the other is not;
    /// 2. TCP whose beginning was seen: who sent the SYN first asks (a SYN without an ACK ever says so even by itself);
    /// 3. a group address serves;
    /// 4. the better-known port: named or below 1024, then below ``ephemeral``, then any;
    /// 5. who was seen first asks;
    /// 6. the port that more of the other parties of this epoch share;
    /// 7. the lower port, the greater party.
    static func of(_ conversation: Conversation, isKnown: (Int) -> Bool, fanIn: (Int) -> Int) -> Int {
        let key = conversation.key
        let known = (isKnown(0), isKnown(1))
        if known.0 != known.1 { return known.0 ? 0 : 1 }
        if key.transport == IPProtocol.tcp.rawValue, let asking = asking(conversation) { return 1 - asking }
        let groups = (key.parties.0.address.isMulticast, key.parties.1.address.isMulticast)
        if groups.0 != groups.1 { return groups.0 ? 0 : 1 }
        let ranks = (rank(key.parties.0.port), rank(key.parties.1.port))
        if ranks.0 != ranks.1 { return ranks.0 < ranks.1 ? 0 : 1 }
        let (first, second) = (conversation[0].first, conversation[1].first)
        if first != second { return first < second ? 1 : 0 }
        let fans = (fanIn(0), fanIn(1))
        if fans.0 != fans.1 { return fans.0 > fans.1 ? 0 : 1 }
        return key.parties.0.port < key.parties.1.port ? 0 : 1
    }

    private static func asking(_ conversation: Conversation) -> Int? {
        let flags = (conversation[0].flags, conversation[1].flags)
        let bare = (flags.0.contains(.syn) && !flags.0.contains(.ack), flags.1.contains(.syn) && !flags.1.contains(.ack))
        if bare.0 != bare.1 { return bare.0 ? 0 : 1 }
        guard flags.0.contains(.syn), flags.1.contains(.syn) else { return nil }
        let (first, second) = (conversation[0].first, conversation[1].first)
        return first == second ? nil : first < second ? 0 : 1
    }

    /// 0: named or reserved; 1: registered; 2: ephemeral; 3: none.
    static func rank(_ port: UInt16) -> Int {
        if port == 0 { return 3 }
        if port < 1024 || ServiceName.of(port: port) != nil { return 0 }
        return port < ephemeral ? 1 : 2
    }
}
