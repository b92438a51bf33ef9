import NetworkTypes
import Reports
import Terminal

/// How the two ends of a packet are written.
public struct EndpointText: Sendable {
    /// Ports as numbers.
    public var numeric: Bool
    /// What to show for an address; nil: the address.
    public var name: @Sendable (String) -> String?

    public init(numeric: Bool = false, name: @escaping @Sendable (String) -> String? = { _ in nil }) {
        self.numeric = numeric
        self.name = name
    }

    public func host(_ address: String) -> String { name(address).map(TerminalText.printable) ?? address }

    /// `10.0.0.1:443`, `[2001:db8::1]:https`; for ICMP the message at the destination.
    public func text(_ tuple: TupleReport, source: Bool) -> String {
        guard let address = source ? tuple.source : tuple.destination else { return "-" }
        let host = host(address)
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        if let port = source ? tuple.sourcePort : tuple.destinationPort {
            // Only the smaller port is a service's: the other one's number means nothing, whatever it is registered for.
            let other = source ? tuple.destinationPort : tuple.sourcePort
            let service = numeric || port > other ?? .max ? nil : ServiceName.of(port: port)
            return "\(bracketed):\(service ?? String(port))"
        }
        if tuple.portsUnknown != nil { return "\(bracketed):?" }
        if !source, let type = tuple.icmpType, let code = tuple.icmpCode { return "\(host) \(Self.message(tuple, type, code))" }
        return host
    }

    private static func message(_ tuple: TupleReport, _ type: UInt8, _ code: UInt8) -> String {
        switch (tuple.protocol, type) {
        case ("icmp", 8), ("icmp6", 128): "echo-request"
        case ("icmp", 0), ("icmp6", 129): "echo-reply"
        case ("icmp", 3), ("icmp6", 1): "unreachable/\(code)"
        case ("icmp6", 2): "too-big"
        case ("icmp", 11), ("icmp6", 3): "time-exceeded"
        case ("icmp6", 133): "router-solicitation"
        case ("icmp6", 134): "router-advertisement"
        case ("icmp6", 135): "neighbour-solicitation"
        case ("icmp6", 136): "neighbour-advertisement"
        default: "type \(type)/\(code)"
        }
    }
}
