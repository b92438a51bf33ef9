/// Two hosts joined by a veth pair: a (`va`, 10.0.0.1/24) and b (`vb`, 10.0.0.2/24); with IPv6 also fd00::1 and fd00::2.
public struct Pair: Sendable {
    public let a: NetworkNamespace
    public let b: NetworkNamespace

    public static let interfaceA = "va"
    public static let interfaceB = "vb"
    public static let addressA = "10.0.0.1"
    public static let addressB = "10.0.0.2"
    public static let addressA6 = "fd00::1"
    public static let addressB6 = "fd00::2"
    public static let macA = Wiring.mac(1)
    public static let macB = Wiring.mac(2)

    /// - Parameters:
    ///   - offloads: for both ends; veth's own choice (segmentation on, receive off) when nil.
    ///   - queues: transmit and receive queues of each end.
    public init(ipv6: Bool = false, mtu: Int = 1500, offloads: Offloads? = nil, queues: Int = 1) async throws {
        let a = try await NetworkNamespace(ipv6: ipv6)
        let b = try await NetworkNamespace(ipv6: ipv6)
        let counts = "mtu \(mtu) numtxqueues \(queues) numrxqueues \(queues)"
        try await a.sh(
            """
            ip link add va address \(Pair.macA) \(counts) type veth peer name vb address \(Pair.macB) \(counts) netns \(b.path)
            """)
        try await b.sh(Pair.configuration("vb", [Pair.addressB, Pair.addressB6], [Pair.addressA, Pair.addressA6], Pair.macA, ipv6))
        try await a.sh(Pair.configuration("va", [Pair.addressA, Pair.addressA6], [Pair.addressB, Pair.addressB6], Pair.macB, ipv6))
        self.a = a
        self.b = b
        if let offloads { try await set(offloads) }
        try await a.waitForCarrier()
        try await b.waitForCarrier()
    }

    /// Switches the offloads of both ends.
    public func set(_ offloads: Offloads) async throws {
        try await a.set(offloads, on: "va")
        try await b.set(offloads, on: "vb")
    }

    private static func configuration(
        _ interface: String, _ own: [String], _ peer: [String], _ peerMAC: String, _ ipv6: Bool
    ) -> String {
        let addresses = ["\(own[0])/24"] + (ipv6 ? ["\(own[1])/64"] : [])
        return Wiring.address(interface, addresses, ipv6: ipv6)
            + peer.prefix(ipv6 ? 2 : 1).map { Wiring.neighbour($0, peerMAC, interface) }.joined()
    }
}
