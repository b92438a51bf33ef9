import Datapath
import Flows
import Netlink
import NetworkTypes
import SFlow

/// What interfaces are called in sFlow. Those of the agent's own namespace by the kernel's index, as SNMP has it; those of other
/// namespaces, whose indices repeat, by 0x800000 + Nilometer's number of the interface.
struct SFlowIndices {
    struct Entry {
        var index: UInt32
        var name: String
        /// Frames have no Ethernet header.
        var isLayer3: Bool
    }

    static let others: UInt32 = 0x80_0000
    private(set) var entries: [InterfaceID: Entry] = [:]
    /// By namespace (its cookie) and the kernel's index, for the way a packet came in.
    private var ports: [UInt64: [UInt32: UInt32]] = [:]
    private var cookies: [InterfaceID: UInt64] = [:]

    init() {}

    init(_ datapath: Datapath, _ follower: InterfaceFollower) {
        let interfaces = Dictionary(uniqueKeysWithValues: datapath.interfaces.map { ($0.id, $0) })
        for followed in follower.namespaces.values {
            let links = (try? followed.socket.links()) ?? []
            let isHome = followed.owner == nil
            for link in links {
                if isHome { ports[followed.namespace.cookie, default: [:]][UInt32(link.index)] = Self.own(UInt32(link.index)) }
                guard let id = followed.attached[link.index], let interface = interfaces[id] else { continue }
                let index = isHome ? Self.own(UInt32(link.index)) ?? Self.other(id) : Self.other(id)
                entries[id] = Entry(index: index, name: interface.name, isLayer3: link.isLayer3)
                ports[followed.namespace.cookie, default: [:]][UInt32(link.index)] = index
                cookies[id] = followed.namespace.cookie
            }
        }
    }

    /// nil where the kernel's numbers have grown into those of the others.
    private static func own(_ index: UInt32) -> UInt32? { index < others ? index : nil }
    private static func other(_ id: InterfaceID) -> UInt32 { others | id.rawValue & (others - 1) }

    /// How a packet that was seen at an interface came in and left; nil for one that is not known.
    func sample(_ sample: PacketSample, drops: UInt32, pool: UInt64) -> FlowSample? {
        let key = sample.key
        guard let entry = entries[key.interface] else { return nil }
        let here = FlowSample.Port.index(entry.index)
        var input = FlowSample.Port.unknown
        if key.direction == .egress, sample.ingressIfindex != 0, let cookie = cookies[key.interface],
            let index = ports[cookie]?[sample.ingressIfindex]
        {
            input = .index(index)
        }
        let framing: FlowSample.Framing =
            !entry.isLayer3 ? .ethernet : key.outer.etherType.rawValue == 0x86DD ? .ipv6 : .ipv4
        return FlowSample(
            source: entry.index, samplingRate: sample.oneIn, pool: pool, drops: drops,
            input: key.direction == .ingress ? here : input, output: key.direction == .egress ? here : .unknown, framing: framing,
            hits: sample.hits, wirePackets: sample.wirePackets, wireBytes: sample.wireBytes,
            strippedTagBytes: sample.isTagApart ? 4 : 0, vlan: key.vlan)
    }
}

extension InterfaceCounterSample {
    /// The device's own. The kernel counts group addresses apart on the way in alone, and broadcasts never: what is not known stays nil.
    init(_ link: LinkObservation, index: UInt32) {
        self.init(index: index)
        type = link.isLayer3 ? 131 : link.flags.contains(.loopback) ? 24 : 6
        isAdministrativelyUp = link.flags.contains(.up)
        isOperational = link.flags.contains(.running)
        isPromiscuous = link.flags.contains(.promiscuous)
        let counters = link.counters
        received.octets = counters.rxBytes
        received.unicast = counters.rxPackets &- min(counters.rxPackets, counters.rxMulticast)
        received.multicast = counters.rxMulticast
        received.discards = counters.rxDropped
        received.errors = counters.rxErrors
        sent.octets = counters.txBytes
        sent.unicast = counters.txPackets
        sent.discards = counters.txDropped
        sent.errors = counters.txErrors
    }
}
