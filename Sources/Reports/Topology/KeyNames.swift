import NetworkTypes
import Topology

// What keys are called by people, and what flows they stand for.

extension NodeKey {
    /// The network that its key says it is in.
    var homeNetwork: NetworkKey? {
        switch self {
        case .endpoint(let network, _), .prefix(let network, _), .station(let network, _), .service(let network, _, _): network
        default: nil
        }
    }

    /// Without what it is in.
    var name: String {
        switch self {
        case .host(let name), .application(let name), .zone(let name), .interface(_, let name): name
        case .namespace(let key): key.name
        case .route(_, let route):
            (route.destination.length == 0 ? "default" : "\(route.destination)") + (route.sibling == 0 ? "" : " #\(route.sibling + 1)")
        case .rule(_, let rule): "rule \(rule.priority)"
        case .security: "security"
        case .network(let key): key.name
        case .endpoint(_, let address): "\(address)"
        case .prefix(_, let prefix): "\(prefix)"
        case .station(_, let mac): "\(mac)"
        case .service(_, let transport, let port): "\(transport)/\(port)"
        }
    }

    /// An interface with its namespace, or with its host where that is the host's own: `web-1:eth0`.
    public var qualifiedName: String {
        switch self {
        case .interface(let namespace, let name): "\(namespace.isInitial ? namespace.host : namespace.name):\(name)"
        case .route(let namespace, _), .rule(let namespace, _), .security(let namespace):
            "\(namespace.isInitial ? namespace.host : namespace.name):\(name)"
        default: name
        }
    }

    /// Chooses the flows of it by its key alone.
    var filter: String? {
        switch self {
        case .interface(let namespace, let name):
            // Another namespace may have one of the same name.
            namespace.isInitial && name.utf8.allSatisfy(\.isPlainInFilter) ? "interface \(name)" : nil
        case .endpoint(_, let address): "host \(address)"
        case .prefix(_, let prefix): prefix.length == 0 ? nil : "net \(prefix)"
        case .network(.vni(let vni)): "vni \(vni)"
        case .service(_, let transport, let port): transport.filter(port: port)
        default: nil
        }
    }
}

extension UTF8.CodeUnit {
    /// Letters, digits, `.`, `_` and `-`: in no need of quotes, and no wildcard.
    fileprivate var isPlainInFilter: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}

extension IPProtocol {
    /// `tcp port 443`, `icmp`, `proto 47`.
    func filter(port: UInt16) -> String {
        switch self {
        case .tcp, .udp, .sctp: port == 0 ? description : "\(self) port \(port)"
        case .icmp: "icmp"
        case .icmpv6: "icmp6"
        default: "proto \(rawValue)"
        }
    }
}

extension LinkKey {
    /// The names of both ends.
    public var title: String { "\(a.qualifiedName) – \(b.qualifiedName)" }

    var filter: String? {
        switch (kind, qualifier) {
        case (.talks, .flow(let transport, let port, _)), (.translates, .flow(let transport, let port, _)):
            return ([a.filter, b.filter].compactMap { $0 } + [transport.filter(port: port)]).joined(separator: " and ")
        case (.tunnel, .vni(let vni)):
            return (["vni \(vni)"] + [a.filter, b.filter].compactMap { $0.map { "outer \($0)" } }).joined(separator: " and ")
        case (.attached, _), (.serves, _): return a.filter
        case (.veth, _), (.port, _), (.stacked, _): return a.filter ?? b.filter
        default: return nil
        }
    }
}

extension NamespaceKey {
    /// The host's own.
    var isInitial: Bool { name == "init" }
}

extension NetworkKey {
    /// `vni 100`, `br0`, `vlan 7`, `production`.
    var name: String {
        switch self {
        case .vni(let number): "vni \(number)"
        case .bridge(let namespace, let name), .link(let namespace, let name):
            namespace.isInitial ? name : "\(namespace.name):\(name)"
        case .vlan(let number, _, _): "vlan \(number)"
        case .declared(let name): name
        case .external: "external"
        }
    }

    /// The API's word.
    var kind: String {
        switch self {
        case .vni: "vxlan"
        case .vlan: "vlan"
        case .bridge: "bridge"
        case .declared: "prefix"
        case .link: "link"
        case .external: "external"
        }
    }
}
