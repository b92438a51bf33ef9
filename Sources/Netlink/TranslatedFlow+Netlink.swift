import CNetlink
import Glibc
import NetworkTypes
import Topology

extension TranslatedFlow {
    /// From the payload of IPCTNL_MSG_CT_NEW; nil when it is cut short, or a flow that is not translated.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        var original: (Direction, IPProtocol)?
        var reply: (Direction, IPProtocol)?
        var status: UInt32 = 0
        var zone: UInt16 = 0
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<nfgenmsg>.size) {
            switch type {
            case Int(CTA_TUPLE_ORIG.rawValue): original = Direction.read(value)
            case Int(CTA_TUPLE_REPLY.rawValue): reply = Direction.read(value)
            case Int(CTA_STATUS.rawValue): status = value.bigEndian() ?? 0
            case Int(CTA_ZONE.rawValue): zone = value.bigEndian() ?? 0
            default: break
            }
        }
        guard let (original, transport) = original, let (reply, _) = reply, status & (Self.source | Self.destination) != 0 else {
            return nil
        }
        self.init(
            transport: transport, original: original, reply: reply, isSourceTranslated: status & Self.source != 0,
            isDestinationTranslated: status & Self.destination != 0, zone: zone)
    }

    /// IPS_SRC_NAT and IPS_DST_NAT.
    fileprivate static let source: UInt32 = 1 << 4
    fileprivate static let destination: UInt32 = 1 << 5
}

extension TranslatedFlow.Direction {
    /// From CTA_TUPLE_ORIG or CTA_TUPLE_REPLY; nil unless it has two addresses of one family and a protocol.
    fileprivate static func read(_ nest: UnsafeRawBufferPointer) -> (Self, IPProtocol)? {
        var (source, destination): (IPAddress?, IPAddress?)
        var transport: UInt8?
        var (sourcePort, destinationPort): (UInt16, UInt16) = (0, 0)
        for (type, value) in NetlinkAttributes(nest) {
            if type == Int(CTA_TUPLE_IP.rawValue) {
                for (type, value) in NetlinkAttributes(value) {
                    switch type {
                    case Int(CTA_IP_V4_SRC.rawValue), Int(CTA_IP_V6_SRC.rawValue): source = IPAddress(wire: value)
                    case Int(CTA_IP_V4_DST.rawValue), Int(CTA_IP_V6_DST.rawValue): destination = IPAddress(wire: value)
                    default: break
                    }
                }
            } else if type == Int(CTA_TUPLE_PROTO.rawValue) {
                for (type, value) in NetlinkAttributes(value) {
                    switch type {
                    case Int(CTA_PROTO_NUM.rawValue): transport = value.value()
                    case Int(CTA_PROTO_SRC_PORT.rawValue): sourcePort = value.bigEndian() ?? 0
                    case Int(CTA_PROTO_DST_PORT.rawValue): destinationPort = value.bigEndian() ?? 0
                    default: break
                    }
                }
            }
        }
        guard let source, let destination, source.isV4 == destination.isV4, let transport else { return nil }
        let direction = Self(source: source, destination: destination, sourcePort: sourcePort, destinationPort: destinationPort)
        return (direction, IPProtocol(rawValue: transport))
    }
}

extension NetlinkSocket {
    /// `conntrack --dump --any-nat`: the translated flows of the namespace, IPv4 and IPv6. Ask a socket made by ``netfilter(in:)``.
    /// - Parameter most: how many at most; the table may hold hundreds of thousands.
    /// - Returns: the flows, and how many more there were.
    public func translatedFlows(most: Int) throws(NetlinkError) -> (flows: [TranslatedFlow], beyond: Int) {
        var flows: [TranslatedFlow] = []
        var beyond = 0
        // The kernel picks by bits that all have to be as asked: those with one, then those with only the other. Kernels older than 5.14 give
        // every flow of the table each time, so what is asked for is looked at here too.
        for status in [TranslatedFlow.source, TranslatedFlow.destination] {
            let mask = status == TranslatedFlow.source ? TranslatedFlow.source : TranslatedFlow.source | TranslatedFlow.destination
            let filter = [(Int(CTA_STATUS.rawValue), status), (Int(CTA_STATUS_MASK.rawValue), mask)].map { type, bits in
                (type: type, value: withUnsafeBytes(of: bits.bigEndian) { Array($0) })
            }
            let type = Int(NFNL_SUBSYS_CTNETLINK) << 8
            let room = most - flows.count
            var (taken, passed) = (0, 0)
            let found = try dump(
                type | Int(IPCTNL_MSG_CT_GET.rawValue), nfgenmsg(), "dump translated flows", attributes: filter,
                start: { (taken, passed) = (0, 0) }
            ) { (message) -> TranslatedFlow? in
                guard message.type == type | Int(IPCTNL_MSG_CT_NEW.rawValue), let flow = TranslatedFlow(netlink: message.payload),
                    flow.isSourceTranslated == (status == TranslatedFlow.source)
                else { return nil }
                if taken == room {
                    passed += 1
                    return nil
                }
                taken += 1
                return flow
            }
            flows += found
            beyond += passed
        }
        return (flows, beyond)
    }
}
