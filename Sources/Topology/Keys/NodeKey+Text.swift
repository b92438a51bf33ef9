import NetworkTypes

extension NetworkKey: CustomStringConvertible {
    public var description: String {
        var text = ""
        write(to: &text)
        return text
    }

    func write(to text: inout String) {
        switch self {
        case .vni(let number): text += "vni/\(number)"
        case .bridge(let namespace, let name): Self.write("bridge", namespace, name, to: &text)
        case .vlan(let number, let namespace, let name): Self.write("vlan/\(number)", namespace, name, to: &text)
        case .link(let namespace, let name): Self.write("link", namespace, name, to: &text)
        case .declared(let name):
            text += "net/"
            KeyText.append(name: name, to: &text)
        case .external: text += "external"
        }
    }

    private static func write(_ word: String, _ namespace: NamespaceKey, _ name: String, to text: inout String) {
        text += word
        for part in [namespace.host, namespace.name, name] {
            text += "/"
            KeyText.append(name: part, to: &text)
        }
    }

    /// Reads a network's key at the start of a path, and takes it off.
    init?(parsing parts: inout ArraySlice<Substring>) {
        func number<T: FixedWidthInteger>(_: T.Type) -> T? { parts.popFirst().flatMap { T($0) } }
        func place() -> (NamespaceKey, String)? {
            guard let host = parts.popFirst().flatMap(KeyText.name), let name = parts.popFirst().flatMap(KeyText.name),
                let device = parts.popFirst().flatMap(KeyText.name)
            else { return nil }
            return (NamespaceKey(host: host, name: name), device)
        }
        switch parts.popFirst() {
        case "vni":
            guard let vni = number(UInt32.self) else { return nil }
            self = .vni(vni)
        case "bridge":
            guard let (namespace, name) = place() else { return nil }
            self = .bridge(namespace, name)
        case "vlan":
            guard let vlan = number(UInt16.self), let (namespace, name) = place() else { return nil }
            self = .vlan(vlan, namespace, name)
        case "link":
            guard let (namespace, name) = place() else { return nil }
            self = .link(namespace, name)
        case "net":
            guard let name = parts.popFirst().flatMap(KeyText.name) else { return nil }
            self = .declared(name)
        case "external": self = .external
        default: return nil
        }
    }
}

extension NodeKey: LosslessStringConvertible {
    public var description: String {
        var text = ""
        write(to: &text)
        return text
    }

    func write(to text: inout String) {
        switch self {
        case .host(let name): Self.write("host/", name, to: &text)
        case .namespace(let key): Self.write(key, to: &text)
        case .interface(let key, let name):
            Self.write(key, to: &text)
            Self.write("/if/", name, to: &text)
        case .route(let key, let route):
            Self.write(key, to: &text)
            text += "/route/\(Self.tableName(route.table))/\(route.destination)"
            if let source = route.source { text += "/from/\(source)" }
            if route.tos != 0 { text += "/tos/\(route.tos)" }
            if route.metric != 0 { text += "/metric/\(route.metric)" }
            if !route.interface.isEmpty { Self.write("/dev/", route.interface, to: &text) }
            if route.sibling != 0 { text += "/sibling/\(route.sibling)" }
        case .rule(let key, let rule):
            Self.write(key, to: &text)
            text += "/rule/\(rule.family == .ipv4 ? 4 : 6)/\(rule.priority)/\(String(rule.digest, radix: 16))"
        case .security(let key):
            Self.write(key, to: &text)
            text += "/security"
        case .network(let network): network.write(to: &text)
        case .endpoint(let network, let address): Self.write(network, "/ip/\(address)", to: &text)
        case .prefix(let network, let prefix): Self.write(network, "/prefix/\(prefix)", to: &text)
        case .station(let network, let mac): Self.write(network, "/mac/\(mac)", to: &text)
        case .service(let network, let transport, let port): Self.write(network, "/service/\(transport)/\(port)", to: &text)
        case .application(let name): Self.write("app/", name, to: &text)
        case .zone(let name): Self.write("zone/", name, to: &text)
        }
    }

    private static func write(_ word: String, _ name: String, to text: inout String) {
        text += word
        KeyText.append(name: name, to: &text)
    }

    private static func write(_ network: NetworkKey, _ rest: String, to text: inout String) {
        network.write(to: &text)
        text += rest
    }

    private static func write(_ key: NamespaceKey, to text: inout String) {
        write("host/", key.host, to: &text)
        write("/ns/", key.name, to: &text)
    }

    /// The names that rt_tables(5) always has; any other table is its number.
    static func tableName(_ table: UInt32) -> String {
        switch table {
        case 253: "default"
        case 254: "main"
        case 255: "local"
        default: String(table)
        }
    }

    static func table(_ name: Substring) -> UInt32? {
        switch name {
        case "default": 253
        case "main": 254
        case "local": 255
        default: UInt32(name)
        }
    }

    /// Reads what ``description`` writes; nil for anything else.
    public init?(_ text: String) {
        guard text.utf8.count <= 512 else { return nil }
        var parts = text.split(separator: "/", omittingEmptySubsequences: false)[...]
        let key: NodeKey?
        switch parts.first {
        case "host":
            parts.removeFirst()
            key = Self.onHost(&parts)
        case "app", "zone":
            let isZone = parts.removeFirst() == "zone"
            key = parts.popFirst().flatMap(KeyText.name).map { isZone ? .zone($0) : .application($0) }
        default: key = NetworkKey(parsing: &parts).flatMap { Self.inNetwork($0, &parts) }
        }
        // One key, one text: leading zeros, a tail, another spelling of an address are another text.
        guard let key, parts.isEmpty, key.description == text else { return nil }
        self = key
    }

    private static func onHost(_ parts: inout ArraySlice<Substring>) -> NodeKey? {
        guard let host = parts.popFirst().flatMap(KeyText.name) else { return nil }
        guard let word = parts.popFirst() else { return .host(host) }
        guard word == "ns", let name = parts.popFirst().flatMap(KeyText.name) else { return nil }
        let namespace = NamespaceKey(host: host, name: name)
        switch parts.popFirst() {
        case nil: return .namespace(namespace)
        case "if": return parts.popFirst().flatMap(KeyText.name).map { .interface(namespace, $0) }
        case "route": return route(&parts).map { .route(namespace, $0) }
        case "rule":
            guard let family = parts.popFirst(), family == "4" || family == "6", let priority = parts.popFirst().flatMap({ UInt32($0) }),
                let digest = parts.popFirst().flatMap({ UInt64($0, radix: 16) })
            else { return nil }
            return .rule(namespace, RuleIdentity(family: family == "4" ? .ipv4 : .ipv6, priority: priority, digest: digest))
        case "security": return .security(namespace)
        default: return nil
        }
    }

    private static func prefix(_ parts: inout ArraySlice<Substring>) -> IPPrefix? {
        guard let address = parts.popFirst(), let length = parts.popFirst() else { return nil }
        return IPPrefix("\(address)/\(length)")
    }

    private static func route(_ parts: inout ArraySlice<Substring>) -> RouteIdentity? {
        guard let table = parts.popFirst().flatMap(table), let destination = prefix(&parts) else { return nil }
        var route = RouteIdentity(table: table, destination: destination)
        while let word = parts.popFirst() {
            switch word {
            case "from":
                guard let source = prefix(&parts) else { return nil }
                route.source = source
            case "tos":
                guard let tos = parts.popFirst().flatMap({ UInt8($0) }) else { return nil }
                route.tos = tos
            case "metric":
                guard let metric = parts.popFirst().flatMap({ UInt32($0) }) else { return nil }
                route.metric = metric
            case "dev":
                guard let name = parts.popFirst().flatMap(KeyText.name) else { return nil }
                route.interface = name
            case "sibling":
                guard let sibling = parts.popFirst().flatMap({ UInt32($0) }) else { return nil }
                route.sibling = sibling
            default: return nil
            }
        }
        return route
    }

    private static func inNetwork(_ network: NetworkKey, _ parts: inout ArraySlice<Substring>) -> NodeKey? {
        switch parts.popFirst() {
        case nil: return .network(network)
        case "ip": return parts.popFirst().flatMap { IPAddress(String($0)) }.map { .endpoint(network, $0) }
        case "prefix": return prefix(&parts).map { .prefix(network, $0) }
        case "mac": return parts.popFirst().flatMap { MACAddress(String($0)) }.map { .station(network, $0) }
        case "service":
            guard let transport = parts.popFirst().flatMap({ IPProtocol(String($0)) }), let port = parts.popFirst().flatMap({ UInt16($0) })
            else { return nil }
            return .service(network, transport, port)
        default: return nil
        }
    }
}
