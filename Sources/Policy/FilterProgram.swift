import Flows
import NetworkTypes

/// The filters of all rules as one program of tests and jumps, as `bpf/abi/policy.h` has it but independent of C: what the datapath walks
/// once per flow and policy to learn which rules apply.
///
/// Jumps lead forward only, so a walk ends after at most as many steps as there are instructions.
public struct FilterProgram: Hashable, Sendable {
    /// What ranges and masks look at (`enum nilo_field`). Ports and identifiers in host order; what is not there is 0.
    public enum Field: Hashable, Sendable {
        case etherType(Layer)
        case ipProtocol(Layer)
        case sourcePort(Layer)
        case destinationPort(Layer)
        /// `TupleForm`.
        case form(Layer)
        /// Identifier | 0x1000.
        case vlan
        case innerVLAN
        case vni
        /// 1: VXLAN.
        case encapsulation
        /// `InterfaceID`.
        case interface
        case direction
        /// Of the packet, outer header.
        case dscp
        /// Of the packet, innermost header.
        case tcpFlags
    }

    public typealias Layer = FlowFilter.Layer

    /// One end of a packet at one of its layers.
    public struct Address: Hashable, Sendable {
        public var layer: Layer
        public var isDestination: Bool

        public init(_ layer: Layer, isDestination: Bool) {
            self.layer = layer
            self.isDestination = isDestination
        }
    }

    public enum Test: Hashable, Sendable {
        case range(Field, ClosedRange<UInt32>)
        /// (field & mask) == value
        case bits(Field, mask: UInt32, value: UInt32)
        /// Reached only where the layer's ethertype is that of the prefix.
        case prefix(Address, IPPrefix)
        /// Prefix set of this number; reached only where the layer's ethertype is IPv4 or IPv6.
        case set(Address, Int)
    }

    public enum Instruction: Hashable, Sendable {
        case test(Test, onTrue: Int, onFalse: Int)
        /// A rule of this kind and kernel index applies.
        case apply(RuleKind, Int, next: Int)
        /// The walk is over.
        case end
    }

    /// A place where packets are seen.
    public struct Point: Hashable, Sendable {
        public var interface: InterfaceID
        public var direction: Direction

        public init(_ interface: InterfaceID, _ direction: Direction) {
            self.interface = interface
            self.direction = direction
        }
    }

    /// The walk starts at the first. Never empty.
    public var instructions: [Instruction]
    /// By number, of both families; no prefix lies in another one of its set.
    public var prefixSets: [[IPPrefix]]
    /// Where rules may apply at all. Elsewhere the program need not be walked; to be widened only after the program is in force.
    public var points: Set<Point>
    /// A test asks for the packet's own DSCP.
    public var usesDSCP: Bool
    /// A test asks for the packet's own TCP flags.
    public var usesTCPFlags: Bool

    /// Applies nothing to nothing.
    public static let empty = FilterProgram(instructions: [.end], prefixSets: [], points: [], usesDSCP: false, usesTCPFlags: false)

    /// The most instructions (`NILO_INSTRUCTIONS`).
    public static let mostInstructions = 4096
    /// The most prefixes in all sets (half of `NILO_PREFIXES`: there are two banks).
    public static let mostPrefixes = 65536
}

/// The kinds of rules, in the order in which a packet meets them in the program; the raw value is the key of their list in a policy file.
public enum RuleKind: String, Hashable, Sendable, CaseIterable {
    case mirror
    case sampler = "sample"
    case shaper = "shape"

    /// The indices that rules of this kind may have in the kernel; 0 stands for none where it is left out. Of samplers and shapers there are
    /// twice as many as rules: new ones stand beside those that they follow until the program knows them.
    public var kernelIndices: Range<Int> {
        switch self {
        case .mirror: 0..<32
        case .sampler: 1..<128
        case .shaper: 1..<2048
        }
    }

    /// Rules of this kind that can be in force.
    public var mostRules: Int {
        switch self {
        case .mirror: 32
        case .sampler: 63
        case .shaper: 1023
        }
    }
}

/// A rule as the kernel is to know it. One rule of a policy may become several.
public struct KernelRule: Hashable, Sendable {
    /// In the policy, for messages.
    public var name: String
    public var kind: RuleKind
    /// In `kind.kernelIndices`.
    public var index: Int
    /// Direction and filter of this are taken; its interface names stand resolved in `interfaces`.
    public var scope: RuleScope
    /// The interfaces that are meant, of those that are counted.
    public var interfaces: Set<InterfaceID>
    /// Of mirrors: the higher comes first.
    public var priority: Int

    public init(name: String, kind: RuleKind, index: Int, scope: RuleScope, interfaces: Set<InterfaceID>, priority: Int = 0) {
        self.name = name
        self.kind = kind
        self.index = index
        self.scope = scope
        self.interfaces = interfaces
        self.priority = priority
    }
}
