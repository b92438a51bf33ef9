import NetworkTypes
import Topology

/// A network made ready for walks: routing tables, forwarding databases and tunnel ends by key.
public struct ForwardingPlane: Sendable {
    public let state: NetworkState
    private let tables: [String: RoutingTables]
    private let ports: [LinkPlace: [Int32]]
    private let bridgeAddresses: [LinkPlace: Set<MACAddress>]
    private let bridgeEntries: [BridgeKey: Int32]
    private let tunnelEntries: [TunnelKey: [ForwardingEntry]]
    private let tunnelEnds: [TunnelEnd: [LinkPlace]]

    struct BridgeKey: Hashable {
        var bridge: LinkPlace
        var mac: MACAddress
        var vlan: UInt16?
    }
    struct TunnelKey: Hashable {
        var tunnel: LinkPlace
        var mac: MACAddress
    }
    private struct TunnelEnd: Hashable {
        var namespace: String
        var port: UInt16
        var vni: UInt32
    }

    /// - Parameter earlier: whose routing tables are taken over for namespaces that did not change.
    public init(_ state: NetworkState, reusing earlier: ForwardingPlane? = nil) {
        self.state = state
        var tables: [String: RoutingTables] = [:]
        var ports: [LinkPlace: [Int32]] = [:]
        var bridgeAddresses: [LinkPlace: Set<MACAddress>] = [:]
        var bridgeEntries: [BridgeKey: Int32] = [:]
        var tunnelEntries: [TunnelKey: [ForwardingEntry]] = [:]
        var tunnelEnds: [TunnelEnd: [LinkPlace]] = [:]
        for (name, namespace) in state.namespaces {
            if let old = earlier?.tables[name], old.namespace == namespace {
                tables[name] = old
            } else {
                tables[name] = RoutingTables(namespace)
            }
            for link in namespace.links.values.sorted(by: { $0.index < $1.index }) {
                let place = LinkPlace(namespace: name, interface: link.index)
                if let master = link.master, namespace.links[master]?.kind == .bridge {
                    let bridge = LinkPlace(namespace: name, interface: master)
                    ports[bridge, default: []].append(link.index)
                    if let mac = link.mac { bridgeAddresses[bridge, default: []].insert(mac) }
                }
                if link.kind == .bridge, let mac = link.mac { bridgeAddresses[place, default: []].insert(mac) }
                if case .vxlan(let parameters) = link.kind, let vni = parameters.vni {
                    let end = TunnelEnd(namespace: parameters.underlayNamespace ?? name, port: parameters.port, vni: vni)
                    tunnelEnds[end, default: []].append(place)
                }
            }
            for entry in namespace.forwardingEntries {
                if let bridge = entry.bridge {
                    let place = LinkPlace(namespace: name, interface: bridge)
                    bridgeEntries[BridgeKey(bridge: place, mac: entry.mac, vlan: entry.vlan)] = entry.interface
                } else if entry.vtep != nil || entry.nexthopObject != nil {
                    let place = LinkPlace(namespace: name, interface: entry.interface)
                    tunnelEntries[TunnelKey(tunnel: place, mac: entry.mac), default: []].append(entry)
                }
            }
        }
        self.tables = tables
        self.ports = ports
        self.bridgeAddresses = bridgeAddresses
        self.bridgeEntries = bridgeEntries
        self.tunnelEntries = tunnelEntries
        self.tunnelEnds = tunnelEnds
    }

    public func routingTables(of namespace: String) -> RoutingTables? { tables[namespace] }

    /// Whether the address is the bridge's own or one of its ports'.
    func isOwn(_ mac: MACAddress, of bridge: LinkPlace) -> Bool { bridgeAddresses[bridge]?.contains(mac) ?? false }

    func ports(of bridge: LinkPlace) -> [Int32] { ports[bridge] ?? [] }

    /// The port behind which the bridge knows an address.
    func port(of mac: MACAddress, vlan: UInt16?, on bridge: LinkPlace) -> Int32? {
        bridgeEntries[BridgeKey(bridge: bridge, mac: mac, vlan: vlan)] ?? bridgeEntries[BridgeKey(bridge: bridge, mac: mac, vlan: nil)]
    }

    func tunnelEntries(for mac: MACAddress, on tunnel: LinkPlace) -> [ForwardingEntry] {
        tunnelEntries[TunnelKey(tunnel: tunnel, mac: mac)] ?? []
    }

    func tunnels(endingIn namespace: String, port: UInt16, vni: UInt32) -> [LinkPlace] {
        tunnelEnds[TunnelEnd(namespace: namespace, port: port, vni: vni)] ?? []
    }

    /// Follows a packet that a socket of the namespace sends.
    ///
    /// - Parameter interface: what the socket is bound to.
    public func walk(_ packet: Packet, from namespace: String, boundTo interface: Int32? = nil) -> Walk {
        var walker = Walker(self)
        return walk(packet, from: namespace, boundTo: interface, by: &walker)
    }

    /// - Parameter walker: one of this network. What it has asked and learnt for the packets before is known now, as it is where there has
    ///   been traffic for a while.
    func walk(_ packet: Packet, from namespace: String, boundTo interface: Int32? = nil, by walker: inout Walker) -> Walk {
        walker.begin()
        let branches = walker.output(packet, in: namespace, boundTo: interface, Trail())
        return Walk(branches: branches, passages: walker.passages, .withoutIgnored)
    }

    /// Follows a packet that comes out of an interface from beyond the known network.
    ///
    /// Who sent it is taken to have asked on its link for the destination, and to have used this host as a router where nobody answered.
    public func walk(_ packet: Packet, enteringAt place: LinkPlace) -> Walk {
        var walker = Walker(self)
        return walk(packet, enteringAt: place, by: &walker)
    }

    func walk(_ packet: Packet, enteringAt place: LinkPlace, by walker: inout Walker) -> Walk {
        walker.begin()
        let branches = walker.enter(packet, at: place)
        return Walk(branches: branches, passages: walker.passages, .withoutIgnored)
    }
}
