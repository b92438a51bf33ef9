import NetworkTypes

extension FlowFilter {
    /// - Parameters:
    ///   - interfaceName: the name an interface goes by; nil for one that is not known (any more), which no `interface`
    ///   predicate matches. Asked only when the filter names an interface.
    ///   - contains: whether the named prefix set holds an address. Asked only when the filter names a set, which no filter does that was
    ///   read without `prefixSets`.
    ///   - application: what a flow was found to be, as `tls.google`; nil while that is not known. Asked only when the filter asks for
    ///   applications.
    ///   - namespaceNames: what the namespace of an interface is called; none where that is not known. Asked only when the filter names an
    ///   interface with its namespace.
    public func matches(
        _ record: FlowRecord, interfaceName: (InterfaceID) -> String?, contains: (String, IPAddress) -> Bool = { _, _ in false },
        application: (FlowKey) -> String? = { _ in nil }, namespaceNames: (InterfaceID) -> [String] = { _ in [] }
    ) -> Bool {
        guard let expression else { return true }
        func isInterface(_ id: InterfaceID, _ pattern: NamePattern) -> Bool {
            pattern.matches(interface: { interfaceName(id) }, namespaces: { namespaceNames(id) })
        }
        return expression.matches(record, layer: nil, isInterface, contains, application)
    }

    /// Whether evaluation asks for interface names.
    public var namesInterfaces: Bool { expression?.namesInterfaces ?? false }
    /// Whether an interface is named with its namespace.
    public var namesNamespaces: Bool { expression?.namesNamespaces ?? false }
    /// Whether evaluation asks for applications.
    public var namesApplications: Bool { expression?.namesApplications ?? false }
}

extension FlowFilter.Expression {
    func matches(
        _ record: FlowRecord, layer: FlowFilter.Layer?, _ isInterface: (InterfaceID, NamePattern) -> Bool,
        _ contains: (String, IPAddress) -> Bool, _ application: (FlowKey) -> String?
    ) -> Bool {
        switch self {
        case .all(let parts): parts.allSatisfy { $0.matches(record, layer: layer, isInterface, contains, application) }
        case .any(let parts): parts.contains { $0.matches(record, layer: layer, isInterface, contains, application) }
        case .not(let part): !part.matches(record, layer: layer, isInterface, contains, application)
        case .layer(let layer, let part): part.matches(record, layer: layer, isInterface, contains, application)
        case .record(let predicate): predicate.matches(record, isInterface, application)
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

    var namesNamespaces: Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.contains { $0.namesNamespaces }
        case .not(let part), .layer(_, let part): part.namesNamespaces
        case .record(.interface(let pattern)): pattern.interfaceParts.namespace != nil
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
    func matches(_ record: FlowRecord, _ isInterface: (InterfaceID, NamePattern) -> Bool, _ application: (FlowKey) -> String?) -> Bool {
        switch self {
        case .interface(let pattern): isInterface(record.key.interface, pattern)
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

extension NamePattern {
    /// `NAME`, or `NAMESPACE:NAME`: no interface's name has a colon (dev_valid_name in the kernel), so the last one divides.
    var interfaceParts: (namespace: NamePattern?, name: NamePattern) {
        guard let colon = text.lastIndex(of: ":") else { return (nil, self) }
        return (NamePattern(String(text[..<colon])), NamePattern(String(text[text.index(after: colon)...])))
    }

    func matches(interface name: () -> String?, namespaces: () -> [String]) -> Bool {
        let parts = interfaceParts
        guard let name = name(), parts.name.matches(name) else { return false }
        guard let namespace = parts.namespace else { return true }
        return namespaces().contains { namespace.matches($0) }
    }
}
