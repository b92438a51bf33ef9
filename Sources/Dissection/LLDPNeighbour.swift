import NetworkTypes

/// What a neighbour on a link says of itself (LLDP, IEEE 802.1AB-2016, clause 8).
public struct LLDPNeighbour: Sendable, Hashable {
    /// A name that a system gives a part of itself, with what kind of name it is.
    public enum Identifier: Sendable, Hashable {
        case mac(MACAddress)
        case address(IPAddress)
        /// Of an interface.
        case interface(String)
        /// Assigned locally, an alias, a component.
        case text(String)

        public var text: String {
            switch self {
            case .mac(let mac): "\(mac)"
            case .address(let address): "\(address)"
            case .interface(let text), .text(let text): text
            }
        }
    }

    public var chassis: Identifier
    public var port: Identifier
    /// Seconds that this holds; 0: the neighbour is going away.
    public var timeToLive: UInt16
    public var portDescription: String?
    public var systemName: String?
    public var systemDescription: String?
    public var managementAddress: IPAddress?

    private static let mostElements = 64

    public init(
        chassis: Identifier, port: Identifier, timeToLive: UInt16, portDescription: String? = nil, systemName: String? = nil,
        systemDescription: String? = nil, managementAddress: IPAddress? = nil
    ) {
        self.chassis = chassis
        self.port = port
        self.timeToLive = timeToLive
        self.portDescription = portDescription
        self.systemName = systemName
        self.systemDescription = systemDescription
        self.managementAddress = managementAddress
    }

    /// nil for what is malformed in one of the three mandatory elements. What is cut off behind them gives what is there.
    /// - Parameter unit: the LLDPDU, behind the Ethernet type.
    public init?(_ unit: ArraySlice<UInt8>) {
        var reader = ByteReader(unit)
        // In this order and first (8.2).
        guard let (first, chassisValue) = Self.element(&reader), first == 1, let chassis = Self.identifier(chassisValue, isPort: false),
            let (second, portValue) = Self.element(&reader), second == 2, let port = Self.identifier(portValue, isPort: true),
            let (third, lifetime) = Self.element(&reader), third == 3
        else { return nil }
        var seconds = ByteReader(lifetime)
        guard let timeToLive = seconds.short() else { return nil }
        self.chassis = chassis
        self.port = port
        self.timeToLive = timeToLive
        for _ in 0..<Self.mostElements {
            guard let (type, value) = Self.element(&reader), type != 0 else { return }
            switch type {
            case 4: portDescription = portDescription ?? Self.text(value)
            case 5: systemName = systemName ?? Self.text(value)
            case 6: systemDescription = systemDescription ?? Self.text(value)
            case 8: managementAddress = managementAddress ?? Self.managementAddress(value)
            default: break
            }
        }
    }

    /// Seven bits of type, nine of length.
    private static func element(_ reader: inout ByteReader) -> (UInt8, ArraySlice<UInt8>)? {
        guard let head = reader.short(), let value = reader.take(Int(head & 0x1FF)) else { return nil }
        return (UInt8(head >> 9), value)
    }

    /// Subtypes of 8.5.2.2 (chassis) and 8.5.3.2 (port).
    private static func identifier(_ value: ArraySlice<UInt8>, isPort: Bool) -> Identifier? {
        var reader = ByteReader(value)
        guard let subtype = reader.byte(), (1...255).contains(reader.left) else { return nil }
        switch (subtype, isPort) {
        case (4, false), (3, true):
            guard reader.left == 6, let number = reader.number(bytes: 6) else { return nil }
            return .mac(MACAddress(rawValue: number))
        case (5, false), (4, true):
            return address(&reader, size: reader.left).map { .address($0) }
        case (6, false), (5, true): return text(reader.takeUp(to: 255)).map { .interface($0) }
        default: return text(reader.takeUp(to: 255)).map { .text($0) }
        }
    }

    /// With IANA's address family in front: 1 is IPv4, 2 IPv6.
    private static func address(_ reader: inout ByteReader, size: Int) -> IPAddress? {
        switch (reader.byte(), size) {
        case (1, 5): reader.address(isIPv6: false)
        case (2, 17): reader.address(isIPv6: true)
        default: nil
        }
    }

    private static func managementAddress(_ value: ArraySlice<UInt8>) -> IPAddress? {
        var reader = ByteReader(value)
        guard let size = reader.byte() else { return nil }
        return address(&reader, size: Int(size))
    }

    private static func text(_ value: ArraySlice<UInt8>) -> String? {
        let text = PlainText.of(value, most: 255)
        return text.isEmpty ? nil : text
    }
}
