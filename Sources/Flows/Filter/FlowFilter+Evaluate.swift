import NetworkTypes

extension FlowFilter {
    /// - Parameters:
    ///   - interfaceName: the name an interface goes by; nil for one that is not known (any more), which no `interface`
    ///   predicate matches. Asked only when the filter names an interface.
    ///   - contains: whether the named prefix set holds an address. Asked only when the filter names a set, which no filter does that was
    ///   read without `prefixSets`.
    ///   - application: what a flow was found to be, as `tls.google`; nil while that is not known. Asked only when the filter asks for
    ///   applications.
    public func matches(
        _ record: FlowRecord, interfaceName: (InterfaceID) -> String?, contains: (String, IPAddress) -> Bool = { _, _ in false },
        application: (FlowKey) -> String? = { _ in nil }
    ) -> Bool {
        guard let expression else { return true }
        return expression.matches(record, layer: nil, interfaceName, contains, application)
    }

    /// Whether evaluation asks for interface names.
    public var namesInterfaces: Bool { expression?.namesInterfaces ?? false }
    /// Whether evaluation asks for applications.
    public var namesApplications: Bool { expression?.namesApplications ?? false }
}

extension FlowFilter.Expression {
    func matches(
        _ record: FlowRecord, layer: FlowFilter.Layer?, _ interfaceName: (InterfaceID) -> String?, _ contains: (String, IPAddress) -> Bool,
        _ application: (FlowKey) -> String?
    ) -> Bool {
        switch self {
        case .all(let parts): parts.allSatisfy { $0.matches(record, layer: layer, interfaceName, contains, application) }
        case .any(let parts): parts.contains { $0.matches(record, layer: layer, interfaceName, contains, application) }
        case .not(let part): !part.matches(record, layer: layer, interfaceName, contains, application)
        case .layer(let layer, let part): part.matches(record, layer: layer, interfaceName, contains, application)
        case .record(let predicate): predicate.matches(record, interfaceName, application)
        case .packet(let predicate):
            layer != .inner && predicate.matches(record.key.outer, contains)
                || layer != .outer && (record.key.inner.map { predicate.matches($0, contains) } ?? false)
        }
    }

    var namesApplications: Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.contains { $0.namesApplications }
        case .not(let part), .layer(_, let part): part.namesApplications
        case .record(.application): true
        case .record, .packet: false
        }
    }

    var namesInterfaces: Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.contains { $0.namesInterfaces }
        case .not(let part), .layer(_, let part): part.namesInterfaces
        case .record(.interface): true
        case .record, .packet: false
        }
    }
}

extension FlowFilter.PacketPredicate {
    func matches(_ tuple: FlowTuple, _ contains: (String, IPAddress) -> Bool) -> Bool {
        switch self {
        case .host(let side, let address):
            side != .destination && tuple.source == address || side != .source && tuple.destination == address
        case .net(let side, let prefix):
            side != .destination && (tuple.source.map(prefix.contains) ?? false)
                || side != .source && (tuple.destination.map(prefix.contains) ?? false)
        case .netSet(let side, let name):
            side != .destination && (tuple.source.map { contains(name, $0) } ?? false)
                || side != .source && (tuple.destination.map { contains(name, $0) } ?? false)
        case .port(let side, let ports, let transport):
            tuple.form == .ports && (transport == nil || tuple.protocol == transport?.number)
                && (side != .destination && ports.contains(tuple.sourcePort) || side != .source && ports.contains(tuple.destinationPort))
        case .ipProtocol(let number):
            tuple.protocol == number && (tuple.etherType == .ipv4 || tuple.etherType == .ipv6)
        case .etherType(let type): tuple.etherType == type
        }
    }
}

extension FlowFilter.RecordPredicate {
    func matches(_ record: FlowRecord, _ interfaceName: (InterfaceID) -> String?, _ application: (FlowKey) -> String?) -> Bool {
        switch self {
        case .interface(let pattern): interfaceName(record.key.interface).map(pattern.matches) ?? false
        case .direction(let direction): record.key.direction == direction
        case .vlan(let identifier?): record.key.vlan == identifier || record.key.innerVLAN == identifier
        case .vlan(nil): record.key.vlan != nil || record.key.innerVLAN != nil
        case .vxlan(let vni?): record.key.vni == vni
        case .vxlan(nil): record.key.isVXLAN
        case .dscp(let codepoint): record.traits.dscp == codepoint
        case .tcpFlags(let flags): record.traits.tcpFlags.isSuperset(of: flags)
        case .application(let pattern):
            application(record.key).map { name in
                pattern.matches(name) || name.split(separator: ".").contains { pattern.matches(String($0)) }
            } ?? false
        }
    }
}
