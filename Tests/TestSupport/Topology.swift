import Glibc

/// What the topologies have in common. Every topology is a value that owns its namespaces: release it, or fail while
/// building it, and the devices are gone with them.
///
/// Neighbours are always permanent: the neighbour tables are shared by all namespaces of a machine and can fill, and
/// nothing resolves or probes while packets are being counted.
public enum Wiring {
    /// The address of host `n`: locally administered, told apart by `space` (one per kind of segment).
    public static func mac(_ n: Int, space: Int = 0) -> String {
        precondition((0...255).contains(n) && (0...255).contains(space))
        return "02:00:00:00:\(hex(space)):\(hex(n))"
    }

    /// The commands that address an interface and bring it up.
    ///
    /// With IPv6 the device is also told to do without ARP and neighbour discovery: an address would else join its
    /// solicited-node group and report that (RFC 3810), packets that no test sent.
    static func address(_ interface: String, _ addresses: [String], ipv6: Bool) -> String {
        var lines = ipv6 ? ["ip link set \(interface) arp off"] : []
        for address in addresses {
            lines.append("ip addr add \(address) dev \(interface)\(address.contains(":") ? " nodad" : "")")
        }
        lines.append("ip link set \(interface) up")
        return lines.joined(separator: "\n") + "\n"
    }

    static func neighbour(_ address: String, _ mac: String, _ interface: String) -> String {
        "ip neigh replace \(address) lladdr \(mac) dev \(interface) nud permanent\n"
    }

    private static func hex(_ n: Int) -> String { (n < 16 ? "0" : "") + String(n, radix: 16) }
}

/// Segmentation and receive offloads of a device; nil leaves a setting as it is.
public struct Offloads: Sendable {
    public var segmentation: Bool?
    public var receive: Bool?
    public var checksum: Bool?

    public init(segmentation: Bool? = nil, receive: Bool? = nil, checksum: Bool? = nil) {
        self.segmentation = segmentation
        self.receive = receive
        self.checksum = checksum
    }

    /// Every packet as it would be on a wire.
    public static let off = Offloads(segmentation: false, receive: false)
    /// Super-packets both ways.
    public static let on = Offloads(segmentation: true, receive: true, checksum: true)

    /// ethtool -K: `gso` off keeps the stack from making super-packets, `tso` off the device from taking TCP ones.
    func apply(to interface: String, in namespace: NetworkNamespace) async throws {
        var settings: [String] = []
        func word(_ on: Bool) -> String { on ? "on" : "off" }
        if let checksum { settings.append("tx \(word(checksum))") }
        if let segmentation { settings.append("gso \(word(segmentation)) tso \(word(segmentation))") }
        if let receive { settings.append("gro \(word(receive))") }
        if !settings.isEmpty { try await namespace.sh("ethtool -K \(interface) \(settings.joined(separator: " "))") }
    }
}

extension NetworkNamespace {
    /// Switches the offloads of one interface.
    public func set(_ offloads: Offloads, on interface: String) async throws {
        try await offloads.apply(to: interface, in: self)
    }
}
