import NetworkTypes
import Topology

extension RoutingTables {
    /// The IPv4 address that a socket gets for packets out of an interface (inet_select_addr, net/ipv4/devinet.c).
    ///
    /// The first primary address whose network holds the gateway, else the first of the interface, else the first of another interface
    /// (loopback first) that reaches as far.
    func selectAddress(on interface: Int32, towards gateway: IPAddress?, scope: AddressScope) -> IPAddress? {
        let vrf = namespace.vrf(of: interface)?.index
        var fallback: IPAddress?
        for address in primaries(on: interface) where min(address.scope.rawValue, AddressScope.host.rawValue) <= scope.rawValue {
            guard let gateway, gateway.isV4 else { return address.address }
            if address.connected?.contains(gateway) == true { return address.address }
            if fallback == nil { fallback = address.address }
        }
        if let fallback { return fallback }
        for other in namespace.links.keys.sorted() where other != interface && namespace.vrf(of: other)?.index == vrf {
            for address in primaries(on: other) where address.scope != .link && address.scope.rawValue <= scope.rawValue {
                return address.address
            }
        }
        return nil
    }

    /// Without those that an earlier address of the same network makes secondary.
    private func primaries(on interface: Int32) -> [InterfaceAddress] {
        var networks: Set<IPPrefix> = []
        return addresses(on: interface).filter { address in
            guard address.address.isV4, let network = address.connected else { return false }
            return networks.insert(network).inserted
        }
    }

    /// The IPv6 address that a socket gets: RFC 6724, section 5, as the kernel does it (ipv6_dev_get_saddr, net/ipv6/addrconf.c).
    ///
    /// Rules 4 (home addresses) and 7 (temporary addresses) are left out: netlink's facts here do not tell them.
    func selectAddressV6(on interface: Int32, towards destination: IPAddress) -> IPAddress? {
        let vrf = namespace.vrf(of: interface)?.index
        let onLinkOnly = destination.isMulticast || destination.isLinkLocal || destination.isLoopback
        var best: (address: IPAddress, score: [Int])?
        let interfaces = onLinkOnly ? [interface] : namespace.links.keys.sorted().filter { namespace.vrf(of: $0)?.index == vrf }
        for candidate in interfaces where namespace.links[candidate]?.isUp ?? true {
            for address in addresses(on: candidate) where !address.address.isV4 && address.isUsable {
                let score = Self.score(address, interface, destination)
                // Only what is better takes the place: among equals the first stays.
                if best.map({ $0.score.lexicographicallyPrecedes(score) }) ?? true { best = (address.address, score) }
            }
        }
        return best?.address
    }

    private static func score(_ address: InterfaceAddress, _ interface: Int32, _ destination: IPAddress) -> [Int] {
        let scope = address.address.scopeV6
        let wanted = destination.scopeV6
        let common = IPAddress.commonPrefix(address.address, destination)
        return [
            address.address == destination ? 1 : 0,
            scope >= wanted ? -scope : scope - 128,
            address.interface == interface ? 1 : 0,
            address.address.labelV6 == destination.labelV6 ? 1 : 0,
            min(common, address.prefixLength),
        ]
    }
}

extension IPAddress {
    /// RFC 4007 scopes as numbers of RFC 7346: 2 link, 5 site, 14 global. Loopback counts as link-local here.
    fileprivate var scopeV6: Int {
        guard case .v6(let high, _) = self else { return 14 }
        if isMulticast { return Int(high >> 48 & 0xF) }
        if isLoopback || isLinkLocal { return 2 }
        return high >> 54 == 0x3FB ? 5 : 14
    }

    /// The kernel's default policy table (ip-addrlabel(8)), which is that of RFC 6724 section 2.1 and a few more.
    fileprivate var labelV6: Int {
        guard case .v6(let high, let low) = self else { return 4 }
        if isLoopback { return 0 }
        if high == 0, low >> 32 == 0xFFFF { return 4 }
        if high == 0, low >> 32 == 0 { return 3 }
        if high >> 36 == 0x200_1001 { return 7 }
        if high >> 32 == 0x2001_0000 { return 6 }
        if high >> 48 == 0x2002 { return 2 }
        if high >> 57 == 0x7E { return 5 }
        if high >> 54 == 0x3FB { return 11 }
        if high >> 48 == 0x3FFE { return 12 }
        return 1
    }

    fileprivate static func commonPrefix(_ a: IPAddress, _ b: IPAddress) -> Int {
        guard case .v6(let h, let l) = a, case .v6(let h2, let l2) = b else { return 0 }
        return h != h2 ? (h ^ h2).leadingZeroBitCount : 64 + (l ^ l2).leadingZeroBitCount
    }
}
