import CNetlink
import Glibc
import NetworkTypes
import PathComputation

/// What RTM_NEWNETCONF says of an interface, or of `all` (ip-netconf(8)).
private struct InterfaceConfiguration {
    var family: UInt8
    /// NETCONFA_IFINDEX_ALL, NETCONFA_IFINDEX_DEFAULT or a number.
    var interface: Int32
    var forwards = false
    var reversePathFilter: Int32 = 0
    var ignoresRoutesWithLinkDown = false

    init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(netconfmsg.self) else { return nil }
        family = header.ncm_family
        var index: Int32?
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<netconfmsg>.size) {
            switch type {
            case NETCONFA_IFINDEX: index = value.value()
            case NETCONFA_FORWARDING: forwards = value.value(Int32.self) ?? 0 != 0
            case NETCONFA_RP_FILTER: reversePathFilter = value.value() ?? 0
            case NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: ignoresRoutesWithLinkDown = value.value(Int32.self) ?? 0 != 0
            default: break
            }
        }
        guard let index else { return nil }
        interface = index
    }
}

extension NetlinkSocket {
    /// `ip netconf show; ip -6 netconf show`: what of the sysctls decides about forwarding. What netlink does not tell (time to live,
    /// `keep_addr_on_down`, `promote_secondaries`) has its default.
    ///
    /// - Parameter names: of the namespace's interfaces, by number.
    public func namespaceSettings(names: [Int32: String]) throws(NetlinkError) -> NamespaceSettings {
        var settings = NamespaceSettings(forwardsIPv4: false, forwardsIPv6: false)
        var found: [InterfaceConfiguration] = []
        for family in [UInt8(AF_INET), UInt8(AF_INET6)] {
            var header = netconfmsg()
            header.ncm_family = family
            found += try dump(RTM_GETNETCONF, header, "dump interface configurations") { message in
                message.type == RTM_NEWNETCONF ? InterfaceConfiguration(netlink: message.payload) : nil
            }
        }
        func all(_ family: Int32) -> InterfaceConfiguration? {
            found.first { $0.family == UInt8(family) && $0.interface == NETCONFA_IFINDEX_ALL }
        }
        let (all4, all6) = (all(AF_INET), all(AF_INET6))
        settings.forwardsIPv4 = all4?.forwards ?? false
        settings.forwardsIPv6 = all6?.forwards ?? false
        for one in found {
            guard let name = names[one.interface] else { continue }
            if one.family == UInt8(AF_INET) {
                settings.interfaces[name, default: NamespaceSettings.Interface()].forwardsIPv4 = one.forwards
                // Of `all` and the interface's own the stricter holds (ip-sysctl.rst).
                settings.interfaces[name]?.reversePathFilter = UInt8(clamping: max(one.reversePathFilter, all4?.reversePathFilter ?? 0))
                settings.interfaces[name]?.ignoresIPv4RoutesWithLinkDown =
                    one.ignoresRoutesWithLinkDown || all4?.ignoresRoutesWithLinkDown ?? false
            } else {
                settings.interfaces[name, default: NamespaceSettings.Interface()].ignoresIPv6RoutesWithLinkDown =
                    one.ignoresRoutesWithLinkDown || all6?.ignoresRoutesWithLinkDown ?? false
            }
        }
        return settings
    }
}
