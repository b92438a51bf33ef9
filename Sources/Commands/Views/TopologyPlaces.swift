import NetworkTypes
import Reports

/// A topology's entities by what they are in, and what links say of them.
struct TopologyPlaces: Sendable {
    private(set) var entities: [String: EntityReport] = [:]
    private(set) var children: [String?: [EntityReport]] = [:]
    /// Of interfaces, with their prefixes' lengths.
    private(set) var addresses: [String: [String]] = [:]
    /// The interfaces that have an endpoint.
    private(set) var holders: [String: [String]] = [:]
    /// What an interface is plugged into.
    private(set) var joins: [String: [String]] = [:]
    /// What is in a virtual network.
    private(set) var members: [String: [EntityReport]] = [:]
    /// Services by the endpoint that serves them.
    private(set) var services: [String: [EntityReport]] = [:]
    /// The way out of a namespace, as its default route says.
    private(set) var exits: [String: String] = [:]
    let links: [LinkReport]
    /// What more than one endpoint is called.
    private let sharedNames: Set<String>

    /// - Parameter kernelMade: also what the kernel makes by itself.
    init(_ report: TopologyReport, kernelMade: Bool) {
        self.init(entities: report.entities, links: report.links, kernelMade: kernelMade)
    }

    init(entities all: [EntityReport], links: [LinkReport], kernelMade: Bool) {
        self.links = links.filter { kernelMade || $0.kernelMade != true }
        var counts: [String: Int] = [:]
        for entity in all where entity.kind == "endpoint" { counts[entity.name, default: 0] += 1 }
        sharedNames = Set(counts.filter { $0.value > 1 }.keys)
        for entity in all where kernelMade || entity.kernelMade != true {
            entities[entity.key] = entity
            children[entity.parent, default: []].append(entity)
            for network in entity.networks ?? [] where network != entity.key { members[network, default: []].append(entity) }
            if entity.kind == "route", entity.name == "default", let parent = entity.parent, entity.attributes["table"] == .text("main") {
                exits[parent] = exits[parent] ?? entity.attributes["via"].map { "default via \($0)" }
            }
        }
        for link in self.links {
            switch link.kind {
            case "attachment":
                let length = link.attributes["prefix-length"].map { "/\($0)" } ?? ""
                addresses[link.to, default: []].append((entities[link.from]?.attributes["address"]?.description ?? link.from) + length)
                holders[link.from, default: []].append(link.to)
            case "port": joins[link.from, default: []].append("in \(name(of: link.to))")
            case "stack": joins[link.from, default: []].append("over \(name(of: link.to))")
            case "veth":
                joins[link.from, default: []].append("↔ \(path(of: link.to))")
                joins[link.to, default: []].append("↔ \(path(of: link.from))")
            case "serves": if let service = entities[link.to] { services[link.from, default: []].append(service) }
            default: break
            }
        }
        // What it is plugged into first, then what it stands on, then the other end.
        for key in joins.keys {
            joins[key]?.sort {
                ($0.hasPrefix("in ") ? 0 : $0.hasPrefix("over ") ? 1 : 2, $0) < (
                    $1.hasPrefix("in ") ? 0 : $1.hasPrefix("over ") ? 1 : 2, $1
                )
            }
        }
    }

    func name(of key: String) -> String { entities[key]?.name ?? key }

    /// An endpoint's name, with its address before it where others are called the same: several servers may go by one name.
    private func unique(_ entity: EntityReport) -> String {
        guard entity.kind == "endpoint", sharedNames.contains(entity.name) else { return entity.name }
        return endpoint(entity.key)
    }

    /// With the namespace of what is in one, or the host where that is its own.
    func path(of key: String) -> String {
        guard let entity = entities[key] else { return key }
        guard ["interface", "route", "rule", "security"].contains(entity.kind), let parent = entity.parent else { return unique(entity) }
        return "\(place(of: parent)):\(entity.name)"
    }

    /// A namespace's name; of the initial one its host's.
    func place(of namespace: String) -> String {
        guard let entity = entities[namespace] else { return namespace }
        guard entity.attributes["initial"] == .flag(true), let host = entity.parent else { return entity.name }
        return name(of: host)
    }

    /// Whose a namespace is, where that says more than its name.
    func owner(of namespace: EntityReport) -> String? {
        guard let owner = namespace.attributes["owner"]?.description, owner != namespace.name, owner != "netns \(namespace.name)" else {
            return nil
        }
        return owner
    }

    /// An endpoint with its name, where it has one: `10.0.0.1 (db.example)`.
    func endpoint(_ key: String) -> String {
        guard let entity = entities[key], let address = entity.attributes["address"]?.description, address != entity.name else {
            return name(of: key)
        }
        return "\(address) (\(entity.name))"
    }

    /// Endpoints that no interface has and that are in no virtual network.
    var elsewhere: [EntityReport] {
        (children[nil] ?? []).filter {
            ["endpoint", "prefix", "station"].contains($0.kind) && $0.networks == nil && holders[$0.key] == nil
        }
    }

    /// Of links that carry something, the busiest first.
    var talks: [(link: LinkReport, load: LoadReport)] {
        links.compactMap { link in link.kind == "talk" ? link.load.map { (link, $0) } : nil }.sorted { a, b in
            let (x, y) = (a.1.bothBitsPerSecond, b.1.bothBitsPerSecond)
            if x != y { return x > y }
            func bytes(_ load: LoadReport) -> UInt64 { (load.totals?.bytes ?? 0) &+ (load.totals?.reverseBytes ?? 0) }
            return bytes(a.1) != bytes(b.1) ? bytes(a.1) > bytes(b.1) : a.0.key < b.0.key
        }
    }
}

extension LinkReport {
    /// `tcp/443`, of communication.
    var protocolText: String {
        guard let transport = attributes["protocol"] else { return kind }
        return attributes["port"].map { "\(transport)/\($0)" } ?? transport.description
    }
}
