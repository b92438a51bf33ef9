import NetworkTypes
import Topology

// Attributes as the API has them: names in words joined by `-`, values of their type. They follow from a key and a state alone, so that
// they are the same now, in the past and in a change.

extension EntityKey {
    /// What is known of the entity when it is in that state.
    public func attributes(_ state: EntityState) -> [String: AttributeValue] {
        var found: [String: AttributeValue] = [:]
        for (name, value) in state.attributes { found[Self.name(name, state)] = Self.value(name, value, state) }
        switch self {
        case .node(let key): key.add(to: &found, state)
        case .link(let key): key.add(to: &found)
        }
        return found
    }

    private static func name(_ name: String, _ state: EntityState) -> String {
        switch (name, state) {
        case ("kind", .interface): "device"
        default: String(name.map { $0 == " " ? "-" : $0 })
        }
    }

    private static let numbers: Set = ["mtu", "vni", "port", "key", "vlan", "prefix length"]

    private static func value(_ name: String, _ value: String, _ state: EntityState) -> AttributeValue {
        switch (name, state) {
        case ("prefixes", _), ("via", .route): return .list(value.split(separator: ",").map { String($0.drop { $0 == " " }) })
        case ("speed", .interface(let interface)): return interface.speed.map { .number(Double($0)) } ?? .text(value)
        case ("capacity", .wire(let wire)): return wire.capacity.map { .number(Double($0)) } ?? .text(value)
        case ("origin", .route(let route)): return .text(route.origin.routeOrigin)
        case ("scope", .route(let route)): return .text(route.scope.word)
        case ("scope", .attachment(let attachment)): return .text(attachment.scope.word)
        case (_, _) where value == "yes": return .flag(true)
        case (_, _) where value == "no": return .flag(false)
        case (_, _) where numbers.contains(name): return Double(value).map { .number($0) } ?? .text(value)
        default: return .text(value)
        }
    }
}

extension NodeKey {
    fileprivate func add(to found: inout [String: AttributeValue], _ state: EntityState) {
        switch self {
        case .namespace(let key): if key.isInitial { found["initial"] = .flag(true) }
        case .interface:
            guard case .interface(let interface) = state, interface.kind.isEmpty else { return }
            found["device"] = .text(interface.isLoopback ? "loopback" : "physical")
        case .route(_, let route):
            found["destination"] = .text("\(route.destination)")
            found["table"] = .text(route.table.tableName)
            if let source = route.source { found["from"] = .text("\(source)") }
            if route.tos != 0 { found["tos"] = .number(Double(route.tos)) }
            if route.metric != 0 { found["metric"] = .number(Double(route.metric)) }
            if route.sibling != 0 { found["sibling"] = .number(Double(route.sibling)) }
        case .rule(_, let rule):
            found["family"] = .text(rule.family == .ipv4 ? "ip" : "ip6")
            found["priority"] = .number(Double(rule.priority))
        case .endpoint(_, let address): found["address"] = .text("\(address)")
        case .prefix(_, let prefix): found["prefix"] = .text("\(prefix)")
        case .station(_, let mac): found["mac"] = .text("\(mac)")
        case .service(_, let transport, let port):
            found["protocol"] = .text("\(transport)")
            found["port"] = .number(Double(port))
        case .network(.vni(let vni)): found["vni"] = .number(Double(vni))
        case .network(.vlan(let vlan, _, _)): found["vlan"] = .number(Double(vlan))
        case .host, .security, .application, .zone, .network: break
        }
    }
}

extension LinkKey {
    fileprivate func add(to found: inout [String: AttributeValue]) {
        switch qualifier {
        case .none: break
        case .vni(let vni):
            found["vni"] = .number(Double(vni))
            if kind == .tunnel { found["encapsulation"] = .text("vxlan") }
        case .flow(let transport, let port, let application):
            found["protocol"] = .text("\(transport)")
            if port != 0 { found["port"] = .number(Double(port)) }
            if let application { found["application"] = .text(application) }
        }
    }
}

extension UInt32 {
    /// The names that rt_tables(5) always has.
    fileprivate var tableName: String {
        switch self {
        case 253: "default"
        case 254: "main"
        case 255: "local"
        default: String(self)
        }
    }
}

extension UInt8 {
    /// RTPROT_* (rtnetlink(7), linux/rtnetlink.h) as ip-route(8) names them.
    fileprivate var routeOrigin: String {
        switch self {
        case 1: "redirect"
        case 2: "kernel"
        case 3: "boot"
        case 4: "static"
        case 9: "ra"
        case 11: "zebra"
        case 12: "bird"
        case 16: "dhcp"
        case 18: "keepalived"
        case 42: "babel"
        case 186: "bgp"
        case 187: "isis"
        case 188: "ospf"
        case 189: "rip"
        case 192: "eigrp"
        default: String(self)
        }
    }
}

extension AddressScope {
    /// As ip-address(8) names them.
    fileprivate var word: String {
        switch rawValue {
        case 0: "global"
        case 200: "site"
        case 253: "link"
        case 254: "host"
        case 255: "nowhere"
        default: String(rawValue)
        }
    }
}
