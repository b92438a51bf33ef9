import NetworkTypes
import Topology

/// That an entity or link appeared, vanished or is different.
public struct ChangeReport: Codable, Hashable, Sendable {
    /// When it happened, RFC 3339; in a difference the later moment.
    public var at: String
    /// nil in a history, which goes by time.
    public var epoch: UInt64?
    public var key: String
    /// `entity` or `link`.
    public var subject: String
    public var kind: String
    /// The entity's name, or the names of the link's ends.
    public var name: String
    /// `appeared`, `vanished` or `changed`.
    public var change: String
    /// Of what changed; else empty.
    public var attributes: [AttributeChange]
    public var kernelMade: Bool?
    /// As it is after the change; of what vanished, as it was. In differences and events.
    public var entity: EntityReport?
    public var link: LinkReport?

    public struct AttributeChange: Codable, Hashable, Sendable {
        /// An attribute, or `name`, `parent` or `networks`.
        public var name: String
        /// nil where there was none.
        public var before: AttributeValue?
        public var after: AttributeValue?

        public init(name: String, before: AttributeValue?, after: AttributeValue?) {
            self.name = name
            self.before = before
            self.after = after
        }
    }
}

extension ChangeReport {
    /// What became of an entity, from its states alone: without its parent and networks, as history tells it.
    ///
    /// nil when nothing did, and for links that are told as parents and networks.
    public init?(of key: EntityKey, before: EntityState?, after: EntityState?, at: Timestamp, epoch: UInt64?) {
        guard before != after else { return nil }
        self.at = at.description
        self.epoch = epoch
        self.key = key.description
        switch key {
        case .node(let node):
            subject = "entity"
            kind = "\(node.kind)"
            name = node.qualifiedName
            kernelMade = node.isKernelMade(after ?? before ?? .plain) ? true : nil
        case .link(let link):
            guard let told = link.told else { return nil }
            subject = "link"
            kind = told.word
            name = link.title
            kernelMade = link.a.isKernelMade(.plain) || link.b.isKernelMade(.plain) ? true : nil
        }
        change = before == nil ? "appeared" : after == nil ? "vanished" : "changed"
        attributes = []
        if let before, let after { attributes = Self.differences(key.attributes(before), key.attributes(after)) }
    }

    /// By rising name.
    static func differences(_ before: [String: AttributeValue], _ after: [String: AttributeValue]) -> [AttributeChange] {
        Set(before.keys).union(after.keys).sorted().compactMap { name in
            before[name] == after[name] ? nil : AttributeChange(name: name, before: before[name], after: after[name])
        }
    }
}

/// The changes between two snapshots, with what they were and became.
public struct ChangeList: Sendable {
    /// Entities first, then links, each by rising key.
    public private(set) var changes: [ChangeReport] = []

    private let before: TopologyTeller
    private let after: TopologyTeller

    /// - Parameters:
    ///   - network: only what belongs to it before or after.
    ///   - layer: only links of it; entities then only where they are physical and the layer is too.
    public init(
        _ difference: SnapshotDifference, from before: TopologyTeller, to after: TopologyTeller, network: NetworkKey? = nil,
        layer: TopologyLayer? = nil
    ) {
        self.before = before
        self.after = after
        let (time, epoch) = (after.snapshot.time, after.snapshot.epoch)
        var told: Set<NodeKey> = []
        var touched: Set<NodeKey> = []
        var links: [ChangeReport] = []
        for change in difference.changes {
            switch change.key {
            case .node(let key):
                told.insert(key)
                guard layer == nil || layer == .physical && key.isPhysical else { continue }
                guard var report = ChangeReport(of: change.key, before: change.before, after: change.after, at: time, epoch: epoch),
                    complete(&report, key, network)
                else { continue }
                changes.append(report)
            case .link(let key):
                touched.formUnion(key.touches)
                guard layer == nil || key.told?.layer == layer else { continue }
                guard var report = ChangeReport(of: change.key, before: change.before, after: change.after, at: time, epoch: epoch),
                    complete(&report, key, network)
                else { continue }
                links.append(report)
            }
        }
        // What is the same by itself may be elsewhere by its links.
        for key in touched.subtracting(told) where layer == nil || layer == .physical && key.isPhysical {
            if let report = moved(key, network, time, epoch) { changes.append(report) }
        }
        if !touched.isSubset(of: told) { changes.sort { $0.key < $1.key } }
        changes += links
    }

    /// False when it is not of the network.
    private func complete(_ report: inout ChangeReport, _ key: NodeKey, _ network: NetworkKey?) -> Bool {
        let old = before.snapshot.id(of: key).map(before.entity)
        let new = after.snapshot.id(of: key).map(after.entity)
        if let network, ![old, new].contains(where: { $0?.networks?.contains(NodeKey.network(network).description) ?? false }) {
            return false
        }
        report.entity = new ?? old
        if let name = report.entity?.name, key.kind == .endpoint { report.name = name }
        if let old, let new {
            report.attributes = ChangeReport.differences(old.attributes, new.attributes) + Self.places(old, new)
        }
        return true
    }

    private func complete(_ report: inout ChangeReport, _ key: LinkKey, _ network: NetworkKey?) -> Bool {
        let old = before.snapshot.id(of: key).flatMap(before.link)
        let new = after.snapshot.id(of: key).flatMap(after.link)
        if let network, ![old, new].contains(where: { $0?.networks?.contains(NodeKey.network(network).description) ?? false }) {
            return false
        }
        report.link = new ?? old
        report.kernelMade = report.link?.kernelMade
        if let old, let new, old.networks != new.networks { report.attributes += Self.places(old.networks, new.networks) }
        return true
    }

    private func moved(_ key: NodeKey, _ network: NetworkKey?, _ time: Timestamp, _ epoch: UInt64) -> ChangeReport? {
        guard let old = before.snapshot.id(of: key).map(before.entity), let new = after.snapshot.id(of: key).map(after.entity) else {
            return nil
        }
        let places = Self.places(old, new)
        guard !places.isEmpty else { return nil }
        if let network, ![old, new].contains(where: { $0.networks?.contains(NodeKey.network(network).description) ?? false }) {
            return nil
        }
        return ChangeReport(
            at: time.description, epoch: epoch, key: new.key, subject: "entity", kind: new.kind, name: key.qualifiedName, change: "changed",
            attributes: places, kernelMade: new.kernelMade, entity: new)
    }

    private static func places(_ old: EntityReport, _ new: EntityReport) -> [ChangeReport.AttributeChange] {
        var found: [ChangeReport.AttributeChange] = []
        if old.parent != new.parent {
            found.append(.init(name: "parent", before: old.parent.map { .text($0) }, after: new.parent.map { .text($0) }))
        }
        // Of a namespace they follow from all that is in it, which is told by itself.
        return old.kind == "\(NodeKind.namespace)" ? found : found + places(old.networks, new.networks)
    }

    private static func places(_ old: [String]?, _ new: [String]?) -> [ChangeReport.AttributeChange] {
        old == new ? [] : [.init(name: "networks", before: old.map { .list($0) }, after: new.map { .list($0) })]
    }
}

extension NodeKey {
    fileprivate var isPhysical: Bool { kind.isPhysical }
}

extension LinkKey {
    /// The nodes whose parent or networks follow from such a link.
    fileprivate var touches: [NodeKey] {
        switch kind {
        case .attached: [a]
        case .serves: [b]
        case .member: [a] + (a.parent.map { [$0] } ?? [])
        default: []
        }
    }
}
