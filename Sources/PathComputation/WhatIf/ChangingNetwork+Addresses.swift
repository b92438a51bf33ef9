import NetworkTypes
import Topology

/// RTPROT_KERNEL: routes that come with an address.
private let kernelOrigin: UInt8 = 2
private let mainTable: UInt32 = 254
private let localTable: UInt32 = 255

extension ChangingNetwork {
    /// What comes back when an interface comes up: the routes of its addresses, and dead nexthops of multipath routes. Static routes that
    /// went with the link do not.
    mutating func restoreRoutes(on place: LinkPlace) {
        guard let namespace = state.namespaces[place.namespace], let link = namespace.links[place.interface] else { return }
        for address in namespace.addresses where address.interface == place.interface && address.address.isV4 {
            addRoutesV4(of: address, in: place.namespace)
        }
        for n in namespace.routes.indices {
            guard namespace.routes[n].nexthops.contains(where: { $0.interface == place.interface && $0.isDead }) else { continue }
            var route = namespace.routes[n]
            for way in route.nexthops.indices where route.nexthops[way].interface == place.interface { route.nexthops[way].isDead = false }
            guard let position = state.namespaces[place.namespace]?.routes.firstIndex(of: namespace.routes[n]) else { continue }
            state.namespaces[place.namespace]?.routes[position] = route
            note(.routeChanged(namespace: place.namespace, route))
        }
        restoreIPv6(place, link)
    }

    private mutating func restoreIPv6(_ place: LinkPlace, _ link: LinkState) {
        guard let namespace = state.namespaces[place.namespace] else { return }
        for (n, address) in namespace.addresses.enumerated() where address.interface == place.interface && !address.address.isV4 {
            state.namespaces[place.namespace]?.addresses[n].isUsable = true
            addRoutesV6(of: address, in: place.namespace)
        }
        // Where the loopback interface has no ::1, IPv6 is off.
        guard link.kind != .loopback, namespace.addresses.contains(where: { !$0.address.isV4 }),
            let multicast = IPPrefix(.v6(high: 0xFF << 56, low: 0), length: 8)
        else { return }
        let group = Route(
            table: localTable, destination: multicast, metric: 256, kind: .multicast, origin: kernelOrigin,
            nexthops: [Nexthop(interface: place.interface)])
        if !namespace.routes.contains(group) { add(group, in: place.namespace) }
        guard link.generatesLinkLocal, link.master == nil, let mac = link.mac else { return }
        // EUI-64 (RFC 4291, appendix A): the bytes around ff:fe, the universal bit turned over.
        let raw = mac.rawValue ^ 0x0200_0000_0000
        let low = (raw >> 24) << 40 | 0xFF_FE00_0000 | (raw & 0xFF_FFFF)
        let address = InterfaceAddress(
            interface: place.interface, address: .v6(high: 0xFE80 << 48, low: low), prefixLength: 64, scope: .link)
        if !namespace.addresses.contains(where: { $0.interface == place.interface && $0.address == address.address }) {
            state.namespaces[place.namespace]?.addresses.append(address)
            note(.addressAdded(namespace: place.namespace, address))
            addRoutesV6(of: address, in: place.namespace)
        }
    }

    mutating func addAddress(_ text: AddressText, to place: LinkPlace) throws(ChangeRefusal) {
        guard let link = state.link(place), let namespace = state.namespaces[place.namespace] else { return }
        let address = InterfaceAddress(
            interface: place.interface, address: text.address, prefixLength: text.prefixLength,
            scope: text.address.isV4 ? (text.address.isLoopback ? .host : .global) : text.address.isLinkLocal ? .link : .global)
        if namespace.addresses.contains(where: { $0.interface == place.interface && $0.address == text.address }) {
            throw .exists("address \(text.address)")
        }
        let position = text.address.isV4 ? namespace.addresses.endIndex : namespace.addresses.firstIndex { !$0.address.isV4 } ?? 0
        state.namespaces[place.namespace]?.addresses.insert(address, at: min(position, namespace.addresses.count))
        note(.addressAdded(namespace: place.namespace, address))
        guard link.isUp else { return }
        if text.address.isV4 {
            addRoutesV4(of: address, in: place.namespace)
        } else {
            addRoutesV6(of: address, in: place.namespace)
        }
    }

    mutating func deleteAddress(_ text: AddressText, from place: LinkPlace) throws(ChangeRefusal) {
        guard let namespace = state.namespaces[place.namespace],
            let address = namespace.addresses.first(where: {
                $0.interface == place.interface && $0.address == text.address && $0.prefixLength == text.prefixLength
            })
        else { throw .notFound("address \(text.address)/\(text.prefixLength) on \(state.text(of: place))") }
        var gone = [address]
        if address.address.isV4 {
            let family = namespace.addresses.filter {
                $0.interface == place.interface && $0.address.isV4 && $0.connected == address.connected
            }
            // With the first address of a network go the others, unless they are promoted.
            if family.first == address, !namespace.promotesSecondaries { gone = family }
        }
        for one in gone {
            state.namespaces[place.namespace]?.addresses.removeAll { $0 == one }
            note(.addressRemoved(namespace: place.namespace, one))
        }
        for one in gone { removeRoutes(of: one, at: place) }
        restorePromoted(after: address, at: place)
        let left = state.namespaces[place.namespace]?.addresses.contains { $0.interface == place.interface && $0.address.isV4 } ?? false
        if address.address.isV4, !left {
            // Without any address IPv4 is off on the interface.
            killRoutes(on: place) { $0.destination.address.isV4 }
        }
    }

    private mutating func removeRoutes(of address: InterfaceAddress, at place: LinkPlace) {
        let left = state.namespaces[place.namespace]?.addresses ?? []
        let sameAddress = left.contains { $0.address == address.address }
        let sameNetwork = left.contains { $0.interface == place.interface && $0.connected == address.connected }
        removeRoutes(in: place.namespace) { route in
            let isKernels = route.origin == kernelOrigin && route.nexthops.contains { $0.interface == place.interface }
            if isKernels, route.table == localTable, !sameAddress, route.destination.address == address.address,
                route.destination.length == address.address.bitWidth
            {
                return true
            }
            if isKernels, !sameNetwork {
                if route.table == mainTable, route.destination == address.connected { return true }
                if route.kind == .broadcast, address.isBroadcast(route.destination.address) { return true }
            }
            // Routes that told sockets to take the address.
            return !sameAddress && route.table == mainTable && route.preferredSource == address.address
        }
    }

    private mutating func restorePromoted(after address: InterfaceAddress, at place: LinkPlace) {
        guard address.address.isV4, state.namespaces[place.namespace]?.promotesSecondaries == true, state.link(place)?.isUp == true,
            let heir = state.namespaces[place.namespace]?.addresses.first(where: {
                $0.interface == place.interface && $0.connected == address.connected
            })
        else { return }
        addRoutesV4(of: heir, in: place.namespace)
    }

    /// fib_add_ifaddr (net/ipv4/fib_frontend.c).
    private mutating func addRoutesV4(of address: InterfaceAddress, in namespace: String) {
        guard let node = state.namespaces[namespace], let own = IPPrefix(address.address, length: 32),
            let network = address.connected
        else { return }
        let isLoopback = node.links[address.interface]?.kind == .loopback
        let primary =
            node.addresses.first { $0.interface == address.interface && $0.address.isV4 && $0.connected == network } ?? address
        func route(_ destination: IPPrefix, _ table: UInt32, _ kind: RouteKind, _ scope: AddressScope) -> Route {
            Route(
                table: table, destination: destination, kind: kind, origin: kernelOrigin, scope: scope,
                preferredSource: primary.address, nexthops: [Nexthop(interface: address.interface)])
        }
        var routes = [route(own, localTable, .local, .host)]
        if primary == address, !network.address.isZeroNetwork, network.address != address.address || address.prefixLength < 32 {
            routes.append(isLoopback ? route(network, localTable, .local, .host) : route(network, mainTable, .unicast, .link))
            if address.prefixLength < 31, case .v4(let base) = network.address {
                let mask: UInt32 = address.prefixLength == 0 ? .max : .max >> UInt32(address.prefixLength)
                if let last = IPPrefix(.v4(base | mask), length: 32) { routes.append(route(last, localTable, .broadcast, .link)) }
            }
        }
        for new in routes where !node.routes.contains(new) { add(new, in: namespace) }
    }

    private mutating func addRoutesV6(of address: InterfaceAddress, in namespace: String) {
        guard let node = state.namespaces[namespace], let own = IPPrefix(address.address, length: 128), let network = address.connected
        else { return }
        let way = [Nexthop(interface: address.interface)]
        let routes = [
            Route(table: localTable, destination: own, metric: 0, kind: .local, origin: kernelOrigin, nexthops: way),
            Route(table: mainTable, destination: network, metric: 256, origin: kernelOrigin, nexthops: way),
        ]
        for new in routes where !node.routes.contains(new) { add(new, in: namespace) }
    }
}
