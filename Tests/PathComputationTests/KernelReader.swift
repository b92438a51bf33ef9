import Foundation
import NetworkTypes
import PathComputation
import TestSupport
import Topology

/// Reads what a namespace's kernel holds, by `ip -N -j` and `bridge -j`, as the facts that the module under test works on.
struct KernelReader {
    let namespace: NetworkNamespace
    let name: String
    /// The namespace in which a VXLAN device of that name was made, where it is another one.
    var underlays: [String: String] = [:]

    private struct Reply: Decodable {
        var links: [LinkJSON]
        var addresses: [AddressesJSON]
        var rules4: [RuleJSON]
        var rules6: [RuleJSON]
        var routes4: [RouteJSON]
        var routes6: [RouteJSON]
        var nexthops: [NexthopObjectJSON]
        var neighbours: [NeighbourJSON]
        var neighbours6: [NeighbourJSON]
        var fdb: [ForwardingJSON]
    }

    func read() async throws -> NamespaceState {
        let commands = [
            ("links", "ip -N -j -d link show"), ("addresses", "ip -N -j address show"), ("rules4", "ip -N -j -4 rule show"),
            ("rules6", "ip -N -j -6 rule show"), ("routes4", "ip -N -j -4 route show table all"),
            ("routes6", "ip -N -j -6 route show table all"),
            ("nexthops", "ip -N -j nexthop show"), ("neighbours", "ip -N -j -4 neigh show nud all"),
            ("neighbours6", "ip -N -j -6 neigh show nud all"), ("fdb", "bridge -j fdb show"),
        ]
        let script = commands.enumerated().map { i, c in
            "printf '%s\"\(c.0)\":' '\(i == 0 ? "{" : ",")'; x=$(\(c.1)); printf '%s' \"${x:-[]}\""
        }
        let text = try await namespace.sh(script.joined(separator: "\n") + "\nprintf '}'")
        let reply: Reply
        do {
            reply = try JSONDecoder().decode(Reply.self, from: Data(text.utf8))
        } catch {
            throw Unexpected("\(error): \(text)")
        }
        var state = NamespaceState(name: name)
        let numbers = Dictionary(reply.links.map { ($0.ifname, $0.ifindex) }, uniquingKeysWith: { a, _ in a })
        for link in reply.links { state.links[link.ifindex] = try convert(link, numbers, all: reply.links) }
        state.addresses = try reply.addresses.flatMap { holder in
            try holder.addr_info.map { try $0.convert(interface: holder.ifindex) }
        }
        state.rules = try (reply.rules4.map { try $0.convert(.ipv4) }) + (reply.rules6.map { try $0.convert(.ipv6) })
        state.routes =
            try reply.routes4.map { try $0.convert(isV4: true, numbers) } + reply.routes6.map { try $0.convert(isV4: false, numbers) }
        for object in reply.nexthops { state.nexthopObjects[object.id] = try object.convert(numbers) }
        state.neighbours = (reply.neighbours + reply.neighbours6).compactMap { $0.convert(numbers) }
        state.forwardingEntries = try reply.fdb.compactMap { try $0.convert(numbers) }
        try await readSysctls(&state)
        return state
    }

    private func readSysctls(_ state: inout NamespaceState) async throws {
        let names = state.links.values.map { ($0.index, $0.name) }
        let (forwards4, forwards6, keeps, perLink) = try await namespace.run {
            func value(_ path: String) -> Int {
                guard let text = try? contents(of: "/proc/sys/net/" + path) else { return 0 }
                return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
            }
            return (
                value("ipv4/ip_forward"), value("ipv6/conf/all/forwarding"), value("ipv6/conf/all/keep_addr_on_down"),
                names.map { index, name in
                    (
                        index, value("ipv4/conf/\(name)/ignore_routes_with_linkdown") + value("ipv4/conf/all/ignore_routes_with_linkdown"),
                        max(value("ipv4/conf/\(name)/rp_filter"), value("ipv4/conf/all/rp_filter")), value("ipv4/conf/\(name)/forwarding"),
                        value("ipv6/conf/\(name)/ignore_routes_with_linkdown") + value("ipv6/conf/all/ignore_routes_with_linkdown")
                    )
                }
            )
        }
        state.forwardsIPv4 = forwards4 != 0
        state.forwardsIPv6 = forwards6 != 0
        state.keepsIPv6AddressesOnDown = keeps > 0
        for (index, ignores, filter, forwarding, ignores6) in perLink {
            state.links[index]?.ignoresIPv4RoutesWithLinkDown = ignores != 0
            state.links[index]?.ignoresIPv6RoutesWithLinkDown = ignores6 != 0
            state.links[index]?.reversePathFilter = UInt8(filter)
            state.links[index]?.forwards = forwarding != 0
        }
    }

    private func convert(_ link: LinkJSON, _ numbers: [String: Int32], all: [LinkJSON]) throws -> LinkState {
        var kind: LinkKind
        switch link.linkinfo?.info_kind {
        case "veth": kind = .veth(peer: nil)  // The lab knows the other end; `ip` shows only numbers.
        case "bridge": kind = .bridge
        case "vlan": kind = .vlan(parent: link.link.flatMap { numbers[$0] } ?? 0, id: UInt16(link.linkinfo?.info_data?.id ?? 0))
        case "vxlan":
            let data = link.linkinfo?.info_data
            kind = .vxlan(
                VXLANParameters(
                    vni: data?.id.map { UInt32($0) }, local: (data?.local ?? data?.local6).flatMap { IPAddress($0) },
                    remote: (data?.remote ?? data?.remote6 ?? data?.group ?? data?.group6).flatMap { IPAddress($0) },
                    port: UInt16(data?.port ?? 4789),
                    underlay: data?.link.flatMap { numbers[$0] }, underlayNamespace: underlays[link.ifname], ttl: data?.ttl ?? 0,
                    learns: data?.learning ?? true))
        case "dummy": kind = .dummy
        case "vrf": kind = .vrf(table: UInt32(link.linkinfo?.info_data?.table ?? 0))
        case let other?: kind = .other(other)
        case nil: kind = link.link_type == "loopback" ? .loopback : .physical
        }
        var state = LinkState(
            index: link.ifindex, name: link.ifname, kind: kind, isUp: link.flags.contains("UP"),
            hasCarrier: link.flags.contains("LOWER_UP"),
            mtu: link.mtu, mac: link.address.flatMap { MACAddress($0) }, master: link.master.flatMap { numbers[$0] })
        if link.linkinfo?.info_slave_kind == "bridge", let port = link.linkinfo?.info_slave_data {
            state.port.isForwarding = port.state == nil || port.state == "forwarding"
            state.port.floods = port.flood ?? true
            state.port.floodsBroadcasts = port.bcast_flood ?? true
            state.port.learns = port.learning ?? true
            state.port.isHairpin = port.hairpin ?? false
            state.port.isIsolated = port.isolated ?? false
            state.port.suppressesNeighbours = port.neigh_suppress ?? false
        }
        state.generatesLinkLocal = link.inet6_addr_gen_mode != "none"
        return state
    }
}

struct Unexpected: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
