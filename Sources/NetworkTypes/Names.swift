// Names of numbers, from the IANA registries "Assigned Internet Protocol Numbers", "IEEE 802 Numbers" and "Service Name and Transport
// Protocol Port Number". Only what is met in networks; anything else is shown and read as its number.

extension IPProtocol: CustomStringConvertible {
    private static let names: [(UInt8, String)] = [
        (0, "hopopt"), (1, "icmp"), (2, "igmp"), (4, "ipip"), (6, "tcp"), (8, "egp"), (17, "udp"), (33, "dccp"), (41, "ipv6"), (46, "rsvp"),
        (47, "gre"), (50, "esp"), (51, "ah"), (58, "icmp6"), (59, "ipv6-nonxt"), (88, "eigrp"), (89, "ospf"), (97, "etherip"), (103, "pim"),
        (108, "ipcomp"), (112, "vrrp"), (115, "l2tp"), (132, "sctp"), (136, "udplite"), (137, "mpls-in-ip"), (139, "hip"),
    ]
    private static let byNumber = Dictionary(uniqueKeysWithValues: names)
    private static let byName: [String: UInt8] = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) }).merging(
        ["icmpv6": 58, "ipv6-icmp": 58, "ipencap": 4, "udp-lite": 136], uniquingKeysWith: { a, _ in a })

    /// nil when the number has no name here.
    public var name: String? { Self.byNumber[rawValue] }
    /// The name, or the number.
    public var description: String { name ?? String(rawValue) }
    /// A name or a decimal number.
    public init?(_ text: String) {
        guard let number = Self.byName[text.lowercased()] ?? UInt8(text) else { return nil }
        self.init(rawValue: number)
    }
}

extension EtherType: CustomStringConvertible {
    private static let names: [(UInt16, String)] = [
        (0x0004, "llc"), (0x0800, "ip"), (0x0806, "arp"), (0x0842, "wol"), (0x6558, "teb"), (0x8035, "rarp"), (0x8100, "vlan"),
        (0x86DD, "ip6"),
        (0x8808, "pause"), (0x8809, "slow"), (0x8847, "mpls"), (0x8848, "mpls-mc"), (0x8863, "pppoe-d"), (0x8864, "pppoe-s"),
        (0x888E, "eapol"), (0x88A8, "qinq"), (0x88CC, "lldp"), (0x88E5, "macsec"), (0x88F7, "ptp"), (0x8906, "fcoe"), (0x8915, "roce"),
        (0x9000, "loopback"),
    ]
    private static let byNumber = Dictionary(uniqueKeysWithValues: names)
    private static let byName = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })

    public var name: String? { Self.byNumber[rawValue] }
    /// The name, or the number as `0x88b5`.
    public var description: String { name ?? hexadecimalText }
    /// `0x88cc`, always four digits.
    public var hexadecimalText: String {
        let digits = String(rawValue, radix: 16)
        return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
    }
    /// A name, `0x` and hexadecimal digits, or a decimal number.
    public init?(_ text: String) {
        let text = text.lowercased()
        if let number = Self.byName[text] {
            self.init(rawValue: number)
        } else if text.hasPrefix("0x") {
            guard let number = hexadecimal(Array(text.utf8.dropFirst(2))[...], digits: 1...4) else { return nil }
            self.init(rawValue: UInt16(number))
        } else {
            guard let number = UInt16(text) else { return nil }
            self.init(rawValue: number)
        }
    }
}

/// Names of services at well-known ports.
public enum ServiceName {
    private static let names: [(UInt16, String)] = [
        (7, "echo"), (20, "ftp-data"), (21, "ftp"), (22, "ssh"), (23, "telnet"), (25, "smtp"), (53, "domain"), (67, "bootps"),
        (68, "bootpc"),
        (69, "tftp"), (80, "http"), (88, "kerberos"), (110, "pop3"), (111, "sunrpc"), (123, "ntp"), (137, "netbios-ns"),
        (138, "netbios-dgm"),
        (139, "netbios-ssn"), (143, "imap"), (161, "snmp"), (162, "snmp-trap"), (179, "bgp"), (319, "ptp-event"), (320, "ptp-general"),
        (389, "ldap"), (443, "https"), (445, "microsoft-ds"), (465, "submissions"), (500, "isakmp"), (514, "syslog"),
        (546, "dhcpv6-client"),
        (547, "dhcpv6-server"), (554, "rtsp"), (587, "submission"), (623, "ipmi"), (636, "ldaps"), (646, "ldp"), (830, "netconf-ssh"),
        (853, "domain-s"), (873, "rsync"), (989, "ftps-data"), (990, "ftps"), (993, "imaps"), (995, "pop3s"), (1194, "openvpn"),
        (1433, "ms-sql-s"), (1701, "l2tp"), (1812, "radius"), (1813, "radius-acct"), (1883, "mqtt"), (2049, "nfs"), (2055, "netflow"),
        (2379, "etcd-client"), (2380, "etcd-server"), (3260, "iscsi-target"), (3306, "mysql"), (3389, "ms-wbt-server"),
        (3784, "bfd-control"),
        (4500, "ipsec-nat-t"), (4739, "ipfix"), (4789, "vxlan"), (5060, "sip"), (5061, "sips"), (5201, "iperf3"), (5353, "mdns"),
        (5355, "llmnr"), (5432, "postgresql"), (5672, "amqp"), (5900, "vnc"), (6081, "geneve"), (6343, "sflow"), (6379, "redis"),
        (6443, "kube-apiserver"), (6653, "openflow"), (8080, "http-alt"), (8443, "https-alt"), (8472, "otv"), (9090, "prometheus"),
        (9092, "kafka"), (9200, "elasticsearch"), (10250, "kubelet"), (11211, "memcached"), (27017, "mongodb"), (51820, "wireguard"),
    ]
    private static let byNumber = Dictionary(uniqueKeysWithValues: names)
    private static let byName = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) }).merging(
        ["dns": 53, "postgres": 5432], uniquingKeysWith: { a, _ in a })

    public static func of(port: UInt16) -> String? { byNumber[port] }
    public static func port(named name: String) -> UInt16? { byName[name.lowercased()] }
}

/// Names of DiffServ codepoints (RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622).
public enum DSCPName {
    private static let names: [(UInt8, String)] =
        (0..<8).map { (UInt8($0 * 8), "cs\($0)") }
        + (1...4).flatMap { c in (1...3).map { d in (UInt8(c * 8 + d * 2), "af\(c)\(d)") } }
        + [(46, "ef"), (44, "voice-admit"), (1, "le")]
    private static let byNumber = Dictionary(uniqueKeysWithValues: names)
    private static let byName = Dictionary(uniqueKeysWithValues: names.map { ($1, $0) })

    public static func of(_ codepoint: UInt8) -> String? { byNumber[codepoint] }
    public static func codepoint(named name: String) -> UInt8? { name.lowercased() == "be" ? 0 : byName[name.lowercased()] }
}
