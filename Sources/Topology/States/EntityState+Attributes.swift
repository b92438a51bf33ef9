import NetworkTypes

extension EntityState {
    /// The attributes by name, as text for people and programs; those that are not set are left out. In an order that stays.
    public var attributes: [(String, String)] {
        var found: [(String, String)] = []
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { found.append((name, value.description)) }
        }
        func add(_ name: String, _ text: String) { if !text.isEmpty { found.append((name, text)) } }
        switch self {
        case .plain: break
        case .host(let state): add("kernel", state.kernel)
        case .namespace(let owner): add("owner", owner)
        case .interface(let state):
            add("kind", state.kind)
            add("state", !state.isUp ? "down" : state.hasCarrier ? "up" : "no carrier")
            add("mtu", state.mtu)
            add("mac", state.mac)
            add("vni", state.vni)
            add("local", state.local)
            add("remote", state.remote)
            add("port", state.port)
            add("key", state.key)
            add("vlan", state.vlan)
            add("table", state.table)
            add("speed", state.speed.map { BitRate(bitsPerSecond: Double($0)) })
            add("alias", state.alias)
        case .route(let state):
            add("type", "\(state.kind)")
            add("via", state.nexthops.map(\.text).joined(separator: ", "))
            add("source", state.preferredSource)
            add("origin", state.origin)
            add("scope", state.scope.rawValue)
        case .rule(let rule): rule.attributes(add)
        case .security(let text): add("rules", text)
        case .network(let state): add("prefixes", state.prefixes.map(\.description).joined(separator: ", "))
        case .endpoint(let state):
            add("mac", state.mac)
            add("name", state.name)
            if state.isLocal { add("local", "yes") }
            if state.isRouter { add("router", "yes") }
            if state.isBroadcast { add("broadcast", "yes") }
        case .zone(let prefixes): add("prefixes", prefixes.map(\.description).joined(separator: ", "))
        case .attachment(let state):
            add("prefix length", state.prefixLength)
            add("peer", state.peer)
            add("scope", state.scope.rawValue)
            if !state.isUsable { add("usable", "no") }
        case .station(let state):
            add("mac", state.mac)
            add("vlan", state.vlan)
            if state.isPermanent { add("permanent", "yes") }
        case .wire(let state):
            add("capacity", state.capacity.map { BitRate(bitsPerSecond: Double($0)) })
        }
        return found
    }
}

extension RouteState.Nexthop {
    /// `10.0.0.1 dev eth0 weight 2 dead`, as ip-route(8) writes it.
    var text: String {
        var words: [String] = []
        if let gateway { words.append(gateway.description) }
        if !interface.isEmpty { words.append("dev \(interface)") }
        if weight != 1 { words.append("weight \(weight)") }
        if isDead { words.append("dead") }
        return words.joined(separator: " ")
    }
}

extension RoutingRule {
    fileprivate func attributes(_ add: (String, String) -> Void) {
        add("action", action == .table ? "lookup \(NodeKey.tableName(table))" : target.map { "goto \($0)" } ?? "\(action)")
        var words: [String] = isInverted ? ["not"] : []
        if let source { words.append("from \(source)") }
        if let destination { words.append("to \(destination)") }
        if tos != 0 { words.append("tos \(tos)") }
        if mark != 0 || markMask != 0 { words.append("fwmark \(mark)/\(markMask)") }
        if let inputInterface { words.append("iif \(inputInterface)") }
        if let outputInterface { words.append("oif \(outputInterface)") }
        if let transport { words.append("ipproto \(transport)") }
        if let sourcePorts { words.append("sport \(sourcePorts.lowerBound)-\(sourcePorts.upperBound)") }
        if let destinationPorts { words.append("dport \(destinationPorts.lowerBound)-\(destinationPorts.upperBound)") }
        if let users { words.append("uidrange \(users.lowerBound)-\(users.upperBound)") }
        if followsVRF { words.append("l3mdev") }
        if suppressedLength >= 0 { words.append("suppress_prefixlength \(suppressedLength)") }
        add("selector", words.joined(separator: " "))
    }
}
