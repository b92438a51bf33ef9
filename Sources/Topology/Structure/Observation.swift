import Flows
import NetworkTypes

/// What is told to the topology. Facts of a namespace name it by its cookie; they may come before the namespace itself does, and count from
/// when it is known. In which order facts come between two commits does not matter, but for those of one identity: the latest holds.
public enum Observation: Sendable {
    /// The host that all namespaces are on.
    case host(name: String, HostState)
    /// A namespace came, or its name or owner changed.
    case namespace(NamespaceFact)
    /// With everything in it.
    case namespaceGone(cookie: UInt64)
    case appeared(Fact, in: UInt64)
    /// An interface takes its addresses, neighbours, forwarding entries and the routes that lead nowhere else with it: for some of those
    /// the kernel sends no message.
    case vanished(FactIdentity, in: UInt64)
    /// A complete dump: what is not in it is gone.
    case resynchronised([Fact], in: UInt64)
    /// The security rules in force (`nft list ruleset`); empty for none.
    case security(String, in: UInt64)
    /// The datapath counts an interface under that number.
    case counted(InterfaceID, interface: Int32, in: UInt64)
    case uncounted(InterfaceID)
    /// What flows have done since they were last told.
    case traffic([FlowDelta])
    case verdict(FlowVerdict)
    /// DNS said so. In any network where the address is seen.
    case named(IPAddress, String)
    /// Who announces itself on an interface now (LLDP); empty: nobody. An interface that is no longer counted has no neighbours.
    case announced([LinkNeighbour], on: InterfaceID)
    /// Everything that conntrack translates in a namespace, now or lately.
    case translations([AddressTranslation], in: UInt64)
    case configured(Declarations)
}

/// What a flow has done since it was last told, at one observation point.
public struct FlowDelta: Sendable {
    public var key: FlowKey
    public var totals: Totals
    public var transport: TransportCounts
    /// Of the flow as a whole.
    public var traits: FlowTraits

    public init(key: FlowKey, totals: Totals, transport: TransportCounts = TransportCounts(), traits: FlowTraits) {
        self.key = key
        self.totals = totals
        self.transport = transport
        self.traits = traits
    }

    /// What a flow's record gained since `before`; nil for the flow's first time.
    public init(_ record: FlowRecord, since before: FlowRecord?) {
        key = record.key
        totals = record.totals
        transport = record.transport
        traits = record.traits
        guard let before else { return }
        totals = record.totals - before.totals
        transport.congestionMarks &-= before.transport.congestionMarks
        transport.retransmitted &-= before.transport.retransmitted
        transport.outOfOrder &-= before.transport.outOfOrder
        transport.zeroWindows &-= before.transport.zeroWindows
    }
}

/// What a look at a flow's first packets said.
public struct FlowVerdict: Sendable, Hashable {
    /// Either direction, at any point.
    public var key: FlowKey
    /// `postgres`, `tls`, `unknown`, …
    public var application: String
    /// What the client called the server (TLS SNI, HTTP host); empty when it did not.
    public var server: String

    public init(key: FlowKey, application: String, server: String = "") {
        self.key = key
        self.application = application
        self.server = server
    }
}

/// A system on the other end of a link, as it names itself and its port (LLDP).
public struct LinkNeighbour: Sendable, Hashable {
    public var system: String
    public var port: String
    /// Of the port, where that is what names it.
    public var mac: MACAddress?

    public init(system: String, port: String, mac: MACAddress? = nil) {
        self.system = system
        self.port = port
        self.mac = mac
    }
}

/// An address and port that clients use, and those that packets really go to or come from (NAT).
public struct AddressTranslation: Sendable, Hashable {
    public var transport: IPProtocol
    public var address: IPAddress
    /// 0 where the port is left as it is or there is none.
    public var port: UInt16
    public var actual: IPAddress

    public init(transport: IPProtocol, address: IPAddress, port: UInt16, actual: IPAddress) {
        self.transport = transport
        self.address = address
        self.port = port
        self.actual = actual
    }
}

/// What the configuration says of networks and zones.
public struct Declarations: Sendable, Hashable {
    public struct Network: Sendable, Hashable {
        public var name: String
        public var prefixes: [IPPrefix]
        public init(name: String, prefixes: [IPPrefix]) {
            self.name = name
            self.prefixes = prefixes
        }
    }
    public struct Zone: Sendable, Hashable {
        public var name: String
        /// Whole networks.
        public var networks: [NetworkKey]
        /// Addresses in whatever network.
        public var prefixes: [IPPrefix]
        public init(name: String, networks: [NetworkKey] = [], prefixes: [IPPrefix] = []) {
            self.name = name
            self.networks = networks
            self.prefixes = prefixes
        }
    }
    public var networks: [Network]
    public var zones: [Zone]

    public init(networks: [Network] = [], zones: [Zone] = []) {
        self.networks = networks
        self.zones = zones
    }
}
