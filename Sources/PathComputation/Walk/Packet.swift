import NetworkTypes

/// An IP packet as far as its way depends on it.
public struct Packet: Sendable, Hashable {
    /// nil: the sender's socket has no address of its own and gets the route's.
    public var source: IPAddress?
    public var destination: IPAddress
    public var transport: IPProtocol
    public var sourcePort: UInt16
    public var destinationPort: UInt16
    /// DSCP and ECN field.
    public var tos: UInt8
    /// Set by the sender's socket; it does not leave the namespace.
    public var mark: UInt32
    public var user: UInt32
    /// nil: the sender's default.
    public var ttl: Int?
    /// Bytes from the IP header on.
    public var size: Int
    /// What a tunnel put in: one frame or none.
    var inner: [Frame] = []
    var vni: UInt32?

    public init(
        source: IPAddress? = nil, destination: IPAddress, transport: IPProtocol = .udp, sourcePort: UInt16 = 0, destinationPort: UInt16 = 0,
        tos: UInt8 = 0, mark: UInt32 = 0, user: UInt32 = 0, ttl: Int? = nil, size: Int = 1000
    ) {
        self.source = source
        self.destination = destination
        self.transport = transport
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.tos = tos
        self.mark = mark
        self.user = user
        self.ttl = ttl
        self.size = size
    }

    func query(input: Int32? = nil, output: Int32? = nil) -> RouteQuery {
        // The mark and the user are the socket's: a packet that comes in has none.
        RouteQuery(
            destination: destination, source: source, inputInterface: input, outputInterface: output, mark: input == nil ? mark : 0,
            tos: tos, transport: transport, sourcePort: sourcePort, destinationPort: destinationPort, user: input == nil ? user : 0)
    }
}

/// An Ethernet frame on its way.
struct Frame: Sendable, Hashable {
    enum Payload: Sendable, Hashable {
        case packet(Packet)
        /// An ARP request or neighbour solicitation: who has this address?
        case request(IPAddress)
    }
    var source: MACAddress
    var destination: MACAddress
    var vlan: UInt16?
    var payload: Payload

    /// As an interface counts it: without preamble and checksum, with a tag.
    var bytes: Int {
        let tag = vlan == nil ? 0 : 4
        switch payload {
        case .packet(let packet): return EncapsulationBytes.ethernet + tag + packet.size
        case .request(let address): return EncapsulationBytes.ethernet + tag + (address.isV4 ? 28 : 72)
        }
    }
}

/// What each layer adds to a packet.
enum EncapsulationBytes {
    /// Destination, source, EtherType (IEEE 802.3).
    static let ethernet = 14
    /// Outer IP, UDP and VXLAN headers (RFC 7348, section 5).
    static func vxlan(overIPv4: Bool) -> Int { (overIPv4 ? 20 : 40) + 8 + 8 }
}
