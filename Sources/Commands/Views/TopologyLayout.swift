import NetworkTypes
import Reports

/// Where things stand in a drawing: boxes in columns from left to right, rows in boxes, and what joins the rows. It follows from the topology
/// alone, so that the same network always looks the same.
struct TopologyLayout: Sendable {
    /// An interface, or an address that no interface has.
    struct Row: Sendable, Hashable {
        var key: String
        var name: String
        /// Addresses and services.
        var notes: [String]
        /// `veth`, `bridge`, `vxlan 100`.
        var device: String
        /// Not up: why.
        var trouble: String?
        /// A port stands below its bridge.
        var isPort: Bool
        /// Its virtual network, where it has one only.
        var network: String?
    }

    /// A namespace, or what is elsewhere.
    struct Box: Sendable, Hashable {
        var key: String
        var title: String
        var note: String
        var isElsewhere: Bool
        var rows: [Row]
    }

    enum EdgeKind: Sendable, Hashable {
        case wire, tunnel, gateway, talk
    }

    struct Edge: Sendable, Hashable {
        var kind: EdgeKind
        /// Keys of rows.
        var from: String
        var to: String
        var label: String
        var load: LoadReport?
        var isDown: Bool

        var bits: Double { load?.bothBitsPerSecond ?? 0 }
        /// Of the busier direction, 0…1; nil without a capacity.
        var utilisation: Double? {
            guard let load, let capacity = load.capacityBitsPerSecond, capacity > 0 else { return nil }
            return max(load.bitsPerSecond ?? 0, load.reverseBitsPerSecond ?? 0) / capacity
        }
    }

    /// A row's place.
    struct Place: Sendable, Hashable {
        var column: Int
        var box: Int
        var row: Int
    }

    private(set) var columns: [[Box]] = []
    private(set) var edges: [Edge] = []
    private(set) var places: [String: Place] = [:]
    /// Virtual networks that rows are in, by rising key, with their names.
    private(set) var networks: [(key: String, name: String)] = []
    /// When it was so.
    let at: String
    /// What was left out.
    let omitted: Int

    init(_ report: TopologyReport, kernelMade: Bool) {
        at = report.at
        omitted = report.omitted?.links ?? 0
        let known = TopologyPlaces(report, kernelMade: kernelMade)
        let boxes = Self.boxes(known)
        let rows = Set(boxes.flatMap { $0.rows.map(\.key) })
        edges = Self.edges(known, rows)
        columns = Self.placed(boxes, edges)
        for (column, boxes) in columns.enumerated() {
            for (number, box) in boxes.enumerated() {
                for (row, one) in box.rows.enumerated() { places[one.key] = Place(column: column, box: number, row: row) }
            }
        }
        let used = Set(boxes.flatMap { $0.rows.compactMap(\.network) })
        networks = used.sorted { Self.precedes($0, $1) }.map { ($0, known.name(of: $0)) }
    }

    // MARK: Boxes

    private static func boxes(_ places: TopologyPlaces) -> [Box] {
        var boxes: [Box] = []
        for namespace in places.entities.values where namespace.kind == "namespace" {
            let interfaces = (places.children[namespace.key] ?? []).filter { $0.kind == "interface" }
            guard !interfaces.isEmpty else { continue }
            let isInitial = namespace.attributes["initial"] == .flag(true)
            let title = isInitial ? places.place(of: namespace.key) : namespace.name
            boxes.append(
                Box(
                    key: namespace.key, title: title.visible, note: isInitial ? "" : places.owner(of: namespace)?.visible ?? "",
                    isElsewhere: false, rows: rows(interfaces, places)))
        }
        return boxes.sorted { precedes($0.title, $1.title) } + elsewhere(places)
    }

    /// Bridges first, each with its ports below it.
    private static func rows(_ interfaces: [EntityReport], _ places: TopologyPlaces) -> [Row] {
        let sorted = interfaces.sorted { precedes($0.name, $1.name) }
        let own = Set(sorted.map(\.key))
        var masters: [String: String] = [:]
        for link in places.links where link.kind == "port" && own.contains(link.from) && own.contains(link.to) {
            masters[link.from] = link.to
        }
        var rows: [Row] = []
        for interface in sorted where masters[interface.key] == nil {
            rows.append(row(interface, places, isPort: false))
            rows += sorted.filter { masters[$0.key] == interface.key }.map { row($0, places, isPort: true) }
        }
        // A port of a port, as a bond in a bridge.
        let told = Set(rows.map(\.key))
        rows += sorted.filter { !told.contains($0.key) }.map { row($0, places, isPort: true) }
        return rows
    }

    private static func row(_ interface: EntityReport, _ places: TopologyPlaces, isPort: Bool) -> Row {
        var notes = (places.addresses[interface.key] ?? []).map(\.visible)
        let endpoints = places.holders.filter { $0.value.contains(interface.key) }.keys.sorted()
        notes += endpoints.flatMap { places.services[$0] ?? [] }.map { TopologyView.service($0).visible }
        let vni = interface.attributes["vni"].map { " \($0)" } ?? ""
        let state = interface.attributes["state"]?.description
        let networks = interface.networks ?? []
        return Row(
            key: interface.key, name: interface.name.visible, notes: notes,
            device: ((interface.attributes["device"]?.description ?? "") + vni).visible, trouble: state == "up" ? nil : state?.visible,
            isPort: isPort, network: networks.count == 1 ? networks[0] : nil)
    }

    /// Rows of one box for what no interface has; more are counted.
    private static let elsewhereRows = 12

    private static func elsewhere(_ places: TopologyPlaces) -> [Box] {
        var groups: [String: [EntityReport]] = [:]
        for entity in places.entities.values where ["endpoint", "prefix", "station"].contains(entity.kind) {
            if places.holders[entity.key] == nil { groups[entity.networks?.first ?? "", default: []].append(entity) }
        }
        return groups.keys.sorted().map { network in
            let sorted = groups[network]!.sorted { precedes($0.name, $1.name) }
            var rows = sorted.prefix(elsewhereRows).map { entity in
                let address = entity.attributes["address"]?.description
                return Row(
                    key: entity.key, name: entity.name.visible, notes: address.flatMap { $0 == entity.name ? nil : [$0] } ?? [],
                    device: entity.kind == "endpoint" ? "" : entity.kind, isPort: false, network: network.isEmpty ? nil : network)
            }
            let left = sorted.count - rows.count
            if left > 0 { rows.append(Row(key: "more of \(network)", name: "… \(left) more", notes: [], device: "", isPort: false)) }
            let title = network.isEmpty ? "elsewhere" : "elsewhere in \(places.name(of: network).visible)"
            return Box(key: "elsewhere \(network)", title: title, note: "", isElsewhere: true, rows: rows)
        }
    }

    // MARK: Edges

    private static func edges(_ places: TopologyPlaces, _ rows: Set<String>) -> [Edge] {
        var ends: [String: [String: String]] = [:]  // VTEP → VNI → device
        for link in places.links where link.kind == "vtep" {
            ends[link.to, default: [:]][link.attributes["vni"]?.description ?? ""] = link.from
        }
        /// The row of an endpoint: that of the interface that has it, or its own.
        func row(_ key: String, vni: String? = nil) -> String? {
            if let vni, let device = ends[key]?[vni], rows.contains(device) { return device }
            if rows.contains(key) { return key }
            return places.holders[key]?.sorted().first { rows.contains($0) }
        }
        func isDown(_ key: String) -> Bool { places.entities[key]?.attributes["state"].map { $0 != .text("up") } ?? false }
        var found: [Edge] = []
        for link in places.links {
            let kind: EdgeKind
            switch link.kind {
            case "veth", "wire": kind = .wire
            case "stack" where places.entities[link.from]?.parent != places.entities[link.to]?.parent: kind = .wire
            case "tunnel": kind = .tunnel
            case "gateway" where places.holders[link.to] == nil: kind = .gateway
            case "talk": kind = .talk
            default: continue
            }
            let vni = kind == .tunnel ? link.attributes["vni"]?.description : nil
            guard let from = row(link.from, vni: vni), let to = row(link.to, vni: vni), from != to else { continue }
            let label =
                switch kind {
                case .wire: link.kind
                case .tunnel: "vni \(vni ?? "?")"
                case .gateway: "gateway"
                case .talk: [link.protocolText, link.attributes["application"]?.description].compactMap { $0 }.joined(separator: " ")
                }
            found.append(
                Edge(kind: kind, from: from, to: to, label: label.visible, load: link.load, isDown: isDown(link.from) || isDown(link.to)))
        }
        return found
    }

    /// `eth2` before `eth10`.
    static func precedes(_ a: String, _ b: String) -> Bool {
        var (x, y) = (Array(a.utf8)[...], Array(b.utf8)[...])
        func number(_ text: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
            let digits = text.prefix { (0x30...0x39).contains($0) }
            text = text.dropFirst(digits.count)
            return digits.drop { $0 == 0x30 }
        }
        while let c = x.first, let d = y.first {
            if (0x30...0x39).contains(c), (0x30...0x39).contains(d) {
                let (m, n) = (number(&x), number(&y))
                if m.count != n.count { return m.count < n.count }
                if m != n { return m.lexicographicallyPrecedes(n) }
            } else {
                if c != d { return c < d }
                x = x.dropFirst()
                y = y.dropFirst()
            }
        }
        return x.isEmpty && !y.isEmpty || x.isEmpty == y.isEmpty && a < b
    }
}
