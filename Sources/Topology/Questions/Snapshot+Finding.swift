import NetworkTypes

/// What a shortened name stands for.
public enum Finding: Sendable, Hashable {
    case found(NodeID)
    /// Several, by rising key; at most twenty.
    case ambiguous([NodeKey])
    case nothing
}

extension Snapshot {
    /// Of the host's own namespace.
    private static let homeName = "init"

    /// The node that a person means: its key, or as much of the key's end as is enough to tell it from all others (`blue/if/eth0`,
    /// `blue/eth0`, `10.0.0.1`, `postgres`), an interface with its namespace as answers show it (`blue:eth0`; of the host's own with its
    /// name), or an endpoint's name.
    public func find(_ text: String) -> Finding {
        if let key = NodeKey(text), let id = id(of: key) { return .found(id) }
        let wanted = text.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard !wanted.isEmpty else { return .nothing }
        var matches: [(NodeKey, NodeID)] = []
        forEachNode { id, key in
            if key.ends(with: wanted) { matches.append((key, id)) }
        }
        if matches.isEmpty, let colon = text.lastIndex(of: ":") {
            let (place, name) = (text[..<colon], text[text.index(after: colon)...])
            forEachNode { id, key in
                guard case .interface(let namespace, let own) = key, own == name else { return }
                let isHome = namespace.name == Self.homeName
                if isHome ? place == namespace.host || place == "host" : place == namespace.name { matches.append((key, id)) }
            }
        }
        if matches.isEmpty {
            forEachNode { id, key in
                if case .endpoint = key, case .endpoint(let state) = state(of: id), state.name == text { matches.append((key, id)) }
            }
        }
        // The key of a route may end with an interface's name; who means it gives more of it.
        let others = matches.filter { $0.0.kind != .route && $0.0.kind != .rule }
        if !others.isEmpty { matches = others }
        // Of endpoints with an address that one is meant that an interface has: others are of networks that were, or out of sight.
        if matches.count > 1, matches.allSatisfy({ $0.0.kind == .endpoint }) {
            let here = matches.filter { match in links(of: match.1).contains { $0.kind == .attached } }
            if here.count == 1 { matches = here }
        }
        if matches.count == 1 { return .found(matches[0].1) }
        if matches.isEmpty { return .nothing }
        let sorted = matches.map { ($0.0, $0.0.description) }.sorted { $0.1 < $1.1 }
        return .ambiguous(sorted.prefix(20).map(\.0))
    }

    /// See ``NodeKey/isKernelMade(_:)``.
    public func isKernelMade(_ node: NodeID) -> Bool {
        let key = key(of: node)
        return key.isKernelMade(key.needsStateToTellWhoseItIs ? state(of: node) : .plain)
    }

    /// A link that one of those is an end of.
    public func isKernelMade(_ link: LinkID) -> Bool {
        let ends = ends(of: link)
        return isKernelMade(ends.a) || isKernelMade(ends.b)
    }
}

extension NodeKey {
    /// Objects that the kernel makes by itself: loopbacks, link-local, multicast and broadcast addresses, the local table and the rules that
    /// every namespace has. Views leave them out or list them apart.
    /// - Parameter state: of the node; where it is not known `.plain`, and the key alone tells.
    public func isKernelMade(_ state: EntityState) -> Bool {
        switch self {
        case .interface(_, let name):
            if Self.fallbackTunnels.contains(name) { return true }
            if case .interface(let state) = state { return state.isLoopback }
            return name == "lo"
        case .endpoint(_, let address):
            if address.isSpecial { return true }
            if case .endpoint(let state) = state { return state.isBroadcast }
            return false
        case .station(_, let mac): return mac.isGroup
        case .prefix(_, let prefix): return prefix.length > 0 && prefix.address.isSpecial
        case .network(let network):
            if case .link(_, let name) = network, Self.fallbackTunnels.contains(name) { return true }
            if case .network(let state) = state { return state.isKernelMade }
            if case .link(_, let name) = network { return name == "lo" }
            return false
        case .route(_, let route):
            if route.table == 255 || route.destination.length > 0 && route.destination.address.isSpecial { return true }
            if case .route(let state) = state { return [.local, .broadcast, .anycast, .multicast].contains(state.kind) }
            return false
        case .rule(_, let rule): return [0, 32_766, 32_767].contains(rule.priority)
        case .host, .namespace, .security, .service, .application, .zone: return false
        }
    }

    /// In each namespace once a module of tunnels is loaded (ip-sysctl.rst, net.core.fb_tunnels_only_for_init_net).
    private static let fallbackTunnels: Set = [
        "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "sit0", "ip6tnl0", "ip6gre0", "ip6_vti0",
    ]

    fileprivate var needsStateToTellWhoseItIs: Bool {
        switch self {
        case .interface, .endpoint, .network, .route: true
        default: false
        }
    }

    /// Whether the last parts of the key are these; the words between names (`ns`, `if`, `ip`) may be left out.
    func ends(with wanted: [String]) -> Bool {
        // The cheap test first: there may be a hundred thousand.
        let parts: [Substring]
        switch self {
        case .endpoint(_, let address) where wanted.count == 1: return address.description == wanted[0]
        default: parts = description.split(separator: "/")
        }
        if wanted.count <= parts.count, zip(wanted.reversed(), parts.reversed()).allSatisfy({ $0 == $1 }) { return true }
        let names = parts.filter { !["host", "ns", "if", "ip", "app", "zone", "net", "service", "mac"].contains($0) }
        return wanted.count <= names.count && zip(wanted.reversed(), names.reversed()).allSatisfy { $0 == $1 }
    }
}
