import Foresight
import NetworkTypes
import Reports
import Storage
import Topology

// What a series is to forecasts and anomalies.

extension SeriesKey {
    var hostGauge: HostGauge? { HostGauge(rawValue: subject) }

    /// As values of forecasts are told in.
    var unit: String {
        switch (measure, hostGauge) {
        case (.level, .cpu?): "%"
        case (.level, .memory?), (.level, .space?): "B"
        case (.level, _): "flows"
        case (.bits, .disk?): "B/s"
        case (.bits, _): "bit/s"
        case (.packets, _): "packet/s"
        }
    }

    /// What values that are told of it lie within: nothing that is counted is ever below nothing, and no part above the whole.
    var bounds: ClosedRange<Double> { 0...(measure == .level ? hostGauge?.most ?? .infinity : .infinity) }

    /// From what the store counts a second to the unit.
    var factor: Double { measure == .bits && hostGauge == nil ? 8 : 1 }

    /// For people, without the direction.
    var name: String {
        if subject == Self.total { return "all traffic" }
        if let gauge = hostGauge { return gauge == .disk ? "disks" : gauge == .space ? "disk space" : gauge.rawValue }
        switch EntityKey(subject) {
        case .node(let node)?: return node.qualifiedName
        case .link(let link)?: return link.title
        case nil: return subject
        }
    }

    /// The word for the direction; empty where there is one alone.
    var direction: String {
        if measure == .level { return "" }
        if hostGauge == .disk { return isBackward ? "written" : "read" }
        switch EntityKey(subject) {
        case .node(let node)? where node.kind == .interface: return isBackward ? "sent" : "received"
        case .link?: return isBackward ? "from" : "to"
        default: return isBackward ? "from-servers" : "to-servers"
        }
    }

    /// For people, with the direction.
    var title: String {
        if case .link(let link)? = EntityKey(subject) {
            let (a, b) = (link.a.qualifiedName, link.b.qualifiedName)
            return (isBackward ? "\(b) → \(a)" : "\(a) → \(b)") + port
        }
        return direction.isEmpty ? name : "\(name) \(direction.replacing("-", with: " "))"
    }

    /// Of a conversation, with a blank before it.
    var port: String {
        guard case .link(let link)? = EntityKey(subject), case .flow(let transport, let number, _) = link.qualifier else { return "" }
        return number == 0 ? " \(transport)" : " \(transport)/\(number)"
    }

    var relations: IncidentBook.Relations {
        var anchors: Set<String> = [subject]
        if case .link(let link)? = EntityKey(subject) {
            anchors.formUnion([link.a.description, link.b.description])
            anchors.formUnion(ends ?? [])
        }
        return .init(subject: subject, anchors: anchors, isWhole: hostGauge != nil, unit: unit)
    }

    /// Addresses of the two ends of a conversation, as packets alone tell of them; nil of anything else.
    var ends: Set<String>? {
        guard case .link(let link)? = EntityKey(subject) else { return nil }
        let addresses = [link.a, link.b].compactMap { end -> String? in
            guard case .endpoint(_, let address) = end else { return nil }
            return "\(address)"
        }
        return addresses.count == 2 ? Set(addresses) : nil
    }

    /// The key that a series is watched under.
    var watched: SeriesKey {
        guard case .link(let link)? = EntityKey(subject) else { return self }
        return SeriesKey(link.withoutApplication.description, measure, isBackward: isBackward)
    }

    /// The two directions of one thing go together, most of the time.
    @Sendable static func partner(_ text: String) -> (key: String, isFirst: Bool)? {
        guard var other = SeriesKey(text), other.measure == .bits, other.hostGauge == nil else { return nil }
        other.isBackward.toggle()
        return (other.text, !other.isBackward)
    }
}

extension Double {
    func clamped(to bounds: ClosedRange<Double>) -> Double { Swift.min(Swift.max(bounds.lowerBound, self), bounds.upperBound) }
}

extension LinkKey {
    /// Without the application: who talks is the same, whether that is known yet or not.
    var withoutApplication: LinkKey {
        guard case .flow(let transport, let port, .some) = qualifier else { return self }
        var key = self
        key.qualifier = .flow(transport, port: port, application: nil)
        return key
    }
}

extension MeasuredSecond {
    /// What is watched of it: rates in the units of forecasts.
    func watched(_ snapshot: Snapshot) -> [SeriesBook.Sample] {
        let seconds = max(0.1, loads.length / .seconds(1))
        var samples: [SeriesBook.Sample] = []
        func tell(_ key: SeriesKey, _ value: Double, _ standing: SeriesBook.Standing) {
            samples.append(.init(key: key.text, value: value * key.factor, standing: standing))
        }
        func tell(_ subject: String, _ load: Load, _ standing: SeriesBook.Standing = .always) {
            tell(SeriesKey(subject, .bits, isBackward: false), Double(load.forwardBytes) / seconds, standing)
            tell(SeriesKey(subject, .bits, isBackward: true), Double(load.backwardBytes) / seconds, standing)
            tell(SeriesKey(subject, .packets, isBackward: false), Double(load.forwardPackets) / seconds, standing)
            tell(SeriesKey(subject, .packets, isBackward: true), Double(load.backwardPackets) / seconds, standing)
        }
        tell(SeriesKey.total, loads.total)
        for (key, load) in loads.interfaces { tell(key.description, load) }
        for (node, load) in loads.networks { tell(snapshot.key(of: node).description, load) }
        for (node, load) in loads.applications { tell(snapshot.key(of: node).description, load) }
        // What comes and goes has to earn its place.
        for (node, load) in loads.busiestServices { tell(snapshot.key(of: node).description, load, .earned) }
        var links: [LinkKey: Load] = [:]
        for (link, load) in loads.busiestLinks(TrafficLoads.seriesLinks) {
            links[snapshot.key(of: link).withoutApplication, default: Load()] += load
        }
        for (key, load) in links { tell(key.description, load, key.kind == .talks ? .earned : .always) }
        host.forEachSeries { key, value in
            switch value {
            case .count(let count): tell(key, Double(count) / seconds, .always)
            case .level(let level): tell(key, level, .level)
            }
        }
        return samples
    }
}
