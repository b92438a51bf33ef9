import CNetlink
import NetworkTypes
import Topology

extension RoutingRule {
    /// From the payload of RTM_NEWRULE or RTM_DELRULE; nil when it is cut short, not of IPv4 or IPv6, or has an action unknown here.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(fib_rule_hdr.self), let family = Family(rawValue: header.family),
            let action = Action(rawValue: header.action)
        else { return nil }
        self.init(family: family, priority: 0, action: action, table: UInt32(header.table))
        tos = header.tos
        isInverted = header.flags & UInt32(FIB_RULE_INVERT) != 0
        var (from, to): (IPAddress?, IPAddress?)
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<fib_rule_hdr>.size) {
            switch type {
            case FRA_SRC: from = IPAddress(wire: value)
            case FRA_DST: to = IPAddress(wire: value)
            default: read(type, value)
            }
        }
        func prefix(_ address: IPAddress?, _ length: UInt8) -> IPPrefix? {
            guard let address, isOf(header.family, address) else { return nil }
            return IPPrefix(address, length: Int(length))
        }
        source = prefix(from, header.src_len)
        destination = prefix(to, header.dst_len)
        // A rule whose selector is lost would match everything.
        if (header.src_len > 0 && source == nil) || (header.dst_len > 0 && destination == nil) { return nil }
        if action != .table || followsVRF { table = 0 }
    }

    private mutating func read(_ type: Int, _ value: UnsafeRawBufferPointer) {
        switch type {
        case FRA_PRIORITY: priority = value.value() ?? 0
        case FRA_TABLE: table = value.value() ?? table
        case FRA_GOTO: target = value.value()
        case FRA_IIFNAME: inputInterface = value.text
        case FRA_OIFNAME: outputInterface = value.text
        case FRA_FWMARK: mark = value.value() ?? 0
        case FRA_FWMASK: markMask = value.value() ?? 0
        case FRA_IP_PROTO: transport = value.value(UInt8.self).flatMap { $0 == 0 ? nil : IPProtocol(rawValue: $0) }
        case FRA_SPORT_RANGE: sourcePorts = value.range()
        case FRA_DPORT_RANGE: destinationPorts = value.range()
        case FRA_UID_RANGE: users = value.range()
        case FRA_L3MDEV: followsVRF = value.value(UInt8.self) ?? 0 != 0
        case FRA_SUPPRESS_PREFIXLEN: suppressedLength = value.value() ?? -1
        case FRA_PROTOCOL: origin = value.value() ?? 0
        case FRA_SUPPRESS_IFGROUP: if value.value(Int32.self) ?? -1 != -1 { hasOtherSelectors = true }
        // The realm of the route that is found; it selects nothing.
        case FRA_FLOW, FRA_PAD: break
        case FRA_TUN_ID: if value.value(UInt64.self) ?? 0 != 0 { hasOtherSelectors = true }
        // Masks of the ports (newer than this header): all ones unless given.
        case Self.sourcePortMask, Self.destinationPortMask: if value.value(UInt16.self) ?? .max != .max { hasOtherSelectors = true }
        default: hasOtherSelectors = true
        }
    }

    private static let sourcePortMask = 28
    private static let destinationPortMask = 29
}

extension UnsafeRawBufferPointer {
    /// Two numbers, `struct fib_rule_port_range` or `fib_rule_uid_range`; nil when they are too short or the wrong way round.
    fileprivate func range<T: FixedWidthInteger & BitwiseCopyable>() -> ClosedRange<T>? {
        guard let low = value(T.self), let high = value(T.self, at: MemoryLayout<T>.size), low <= high else { return nil }
        return low...high
    }
}

extension NetlinkSocket {
    /// `ip rule show; ip -6 rule show`: every rule of both families, IPv4 first, each in the order in which the kernel asks them.
    public func rules() throws(NetlinkError) -> [RoutingRule] {
        var found: [RoutingRule] = []
        for family in RoutingRule.Family.allCases {
            var header = fib_rule_hdr()
            header.family = family.rawValue
            found += try dump(RTM_GETRULE, header, "dump routing rules") { message in
                message.type == RTM_NEWRULE ? RoutingRule(netlink: message.payload) : nil
            }
        }
        return found
    }
}
