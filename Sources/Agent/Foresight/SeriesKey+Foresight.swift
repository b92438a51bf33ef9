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
            return isBackward ? "\(b) → \(a)" : "\(a) → \(b)"
        }
        return direction.isEmpty ? name : "\(name) \(direction.replacing("-", with: " "))"
    }

    var relations: IncidentBook.Relations {
        var anchors: Set<String> = [subject]
        if case .link(let link)? = EntityKey(subject) { anchors.formUnion([link.a.description, link.b.description]) }
        return .init(subject: subject, anchors: anchors, isWhole: hostGauge != nil, unit: unit)
    }

    /// The two directions of one thing go together, most of the time.
    @Sendable static func partner(_ text: String) -> (key: String, isFirst: Bool)? {
        guard var other = SeriesKey(text), other.measure == .bits, other.hostGauge == nil else { return nil }
        other.isBackward.toggle()
        return (other.text, !other.isBackward)
    }

    /// What comes and goes has to earn its place.
    var standing: SeriesBook.Standing {
        if measure == .level { return .level }
        if case .link(let link)? = EntityKey(subject), link.kind == .talks { return .earned }
        return .always
    }
}

extension MeasuredSecond {
    /// What is watched of it: rates in the units of forecasts.
    func watched(_ snapshot: Snapshot) -> [SeriesBook.Sample] {
        let seconds = max(0.1, loads.length / .seconds(1))
        var samples: [SeriesBook.Sample] = []
        loads.forEachSeries(snapshot) { key, count in
            samples.append(.init(key: key.text, value: Double(count) * key.factor / seconds, standing: key.standing))
        }
        host.forEachSeries { key, value in
            switch value {
            case .count(let count):
                samples.append(.init(key: key.text, value: Double(count) * key.factor / seconds, standing: key.standing))
            case .level(let level): samples.append(.init(key: key.text, value: level, standing: key.standing))
            }
        }
        return samples
    }
}
