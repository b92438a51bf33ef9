import Flows
import NetworkTypes

/// What an admin wants done with traffic: the rules of all policy files, in the order in which they apply.
///
/// A value of intent alone: names as they were written, nothing of this host's state. `docs/policy.md` is its reference.
public struct Policy: Hashable, Sendable {
    /// Copies of packets for someone else to look at.
    public var mirrors: [MirrorRule] = []
    /// Samples of packets for estimates and export. The first that matches a packet samples it.
    public var samplers: [SampleRule] = []
    /// Rates and marks. The first that matches a packet shapes it.
    public var shapers: [ShapeRule] = []
    /// Prefix lists that filters name as `net @NAME`.
    public var prefixSets: [String: [IPPrefix]] = [:]
    /// What is known of links beyond what the kernel says.
    public var links: [LinkDeclaration] = []
    /// Shaping rules whose rates follow what is expected of their traffic.
    public var plans: [PlanDeclaration] = []
    /// Prefixes whose traffic planning may spread over several paths.
    public var routes: [RouteDeclaration] = []

    public init() {}

    /// The same without the rules of these names.
    public func without(_ names: Set<String>) -> Policy {
        var rest = self
        rest.mirrors.removeAll { names.contains($0.name) }
        rest.samplers.removeAll { names.contains($0.name) }
        rest.shapers.removeAll { names.contains($0.name) }
        return rest
    }

    /// Of the rule of this name; nil: there is none.
    public func kind(of rule: String) -> RuleKind? {
        if mirrors.contains(where: { $0.name == rule }) { return .mirror }
        if samplers.contains(where: { $0.name == rule }) { return .sampler }
        return shapers.contains { $0.name == rule } ? .shaper : nil
    }
}

/// The traffic that a rule is about.
public struct RuleScope: Hashable, Sendable {
    /// Names or patterns of interfaces; `NAMESPACE:NAME` for one of another namespace. Empty: every interface that is counted.
    public var interfaces: [String]
    /// nil: both.
    public var direction: Direction?
    public var filter: FlowFilter

    public init(interfaces: [String] = [], direction: Direction? = nil, filter: FlowFilter = .everything) {
        self.interfaces = interfaces
        self.direction = direction
        self.filter = filter
    }
}

/// What planning may count on for a link.
public struct LinkDeclaration: Hashable, Sendable {
    public var interface: String
    /// Bits a second of layer-2 frames; nil: as the device says.
    public var capacity: BitRate?
    /// 0 (may be lost) to 100 (must not fail).
    public var criticality: Int?
    /// Interfaces whose paths may stand in for this one.
    public var alternatives: [String]

    public init(interface: String, capacity: BitRate? = nil, criticality: Int? = nil, alternatives: [String] = []) {
        self.interface = interface
        self.capacity = capacity
        self.criticality = criticality
        self.alternatives = alternatives
    }
}
