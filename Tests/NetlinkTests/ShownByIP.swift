import Foundation
import NetworkTypes
import TestSupport
import Topology

/// What `ip` and `bridge` show of a namespace, as facts: an independent reader of the same kernel.
struct ShownByIP: Sendable {
    var addresses: [InterfaceAddress]
    var routes: [Route]
    var nexthops: [NexthopObject]
    var rules: [RoutingRule]
    var neighbours: [Neighbour]
    var forwarding: [ForwardingEntry]

    struct Unreadable: Error {
        var what: String
    }

    static func read(_ namespace: TestNamespace) async throws -> ShownByIP {
        func shown<T: Decodable>(_ command: String, _ type: T.Type = T.self) async throws -> [T] {
            let text = try await namespace.sh(command)
            return text.allSatisfy(\.isWhitespace) ? [] : try JSONDecoder().decode([T].self, from: Data(text.utf8))
        }
        let links: [AddressLine] = try await shown("ip -j -d address show")
        let index = Dictionary(uniqueKeysWithValues: links.map { ($0.ifname, $0.ifindex) })
        let four: [RuleLine] = try await shown("ip -N -j -d rule show")
        let six: [RuleLine] = try await shown("ip -N -j -d -6 rule show")
        return ShownByIP(
            addresses: try links.flatMap { try $0.facts() },
            routes: try await shown("ip -N -j -d -4 route show table all", RouteLine.self).map { try $0.fact(.v4(0), index) }
                + shown("ip -N -j -d -6 route show table all", RouteLine.self).map { try $0.fact(.v6(high: 0, low: 0), index) },
            nexthops: try await shown("ip -N -j -d nexthop show", NexthopLine.self).map { try $0.fact(index) },
            rules: try four.map { try $0.fact(.ipv4) } + six.map { try $0.fact(.ipv6) },
            neighbours: try await shown("ip -j neigh show nud all", NeighbourLine.self).map { try $0.fact(index) },
            forwarding: try await shown("bridge -j -d fdb show", ForwardingLine.self).compactMap { try $0.fact(index) })
    }
}

private func some<T>(_ value: T?, _ what: @autoclosure () -> String) throws -> T {
    guard let value else { throw ShownByIP.Unreadable(what: what()) }
    return value
}

private func address(_ text: String) throws -> IPAddress { try some(IPAddress(text), text) }
private func number(_ text: String) throws -> UInt32 {
    let names: [String: UInt32] = [
        "unspec": 0, "kernel": 2, "boot": 3, "static": 4, "default": 253, "main": 254, "local": 255, "global": 0, "link": 253, "host": 254,
        "nowhere": 255,
    ]
    return try some(names[text] ?? (text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)), text)
}

private struct AddressLine: Decodable {
    struct Address: Decodable {
        var local: String
        var address: String?
        var prefixlen: Int
        var scope: String
        var deprecated, tentative, dadfailed: Bool?
    }
    var ifindex: Int32
    var ifname: String
    var addr_info: [Address]

    func facts() throws -> [InterfaceAddress] {
        try addr_info.map {
            let scope = $0.scope == "host" ? 254 : $0.scope == "link" ? 253 : try number($0.scope)
            return InterfaceAddress(
                interface: ifindex, address: try NetlinkTests.address($0.local), prefixLength: $0.prefixlen,
                peer: try $0.address.map(NetlinkTests.address), scope: AddressScope(rawValue: UInt8(scope)),
                isUsable: $0.deprecated != true && $0.tentative != true && $0.dadfailed != true)
        }
    }
}

private struct RouteLine: Decodable {
    struct Via: Decodable { var host: String }
    struct Hop: Decodable {
        var gateway: String?
        var via: Via?
        var dev: String?
        var weight: UInt16?
        var flags: [String]
    }
    var type, dst, table, `protocol`, scope: String
    var from, tos, gateway, dev, prefsrc: String?
    var via: Via?
    var metric: UInt32?
    var nhid: UInt32?
    var nexthops: [Hop]?
    var flags: [String]

    func fact(_ any: IPAddress, _ index: [String: Int32]) throws -> Route {
        func prefix(_ text: String) throws -> IPPrefix {
            if text == "default" { return try some(IPPrefix(any, length: 0), text) }
            return try some(text.contains("/") ? IPPrefix(text) : IPPrefix(address(text), length: any.bitWidth), text)
        }
        let kind = try some(UInt8(type).flatMap { RouteKind(rawValue: $0) }, type)
        var hops = try (nexthops ?? []).map { hop in
            Nexthop(
                interface: hop.dev.flatMap { index[$0] }, gateway: try (hop.gateway ?? hop.via?.host).map(address),
                weight: try some(hop.weight, "weight"), isDead: hop.flags.contains("dead"))
        }
        if hops.isEmpty, let dev {
            let way = try (gateway ?? via?.host).map(address)
            hops = [Nexthop(interface: try some(index[dev], dev), gateway: way, isDead: flags.contains("dead"))]
        }
        let isEnd = [.blackhole, .unreachable, .prohibit, .throw].contains(kind)
        return Route(
            table: try number(table), destination: try prefix(dst), source: try from.map(prefix), tos: UInt8(try tos.map(number) ?? 0),
            metric: metric ?? 0, kind: kind, origin: UInt8(try number(self.protocol)),
            scope: AddressScope(rawValue: UInt8(try number(scope))),
            preferredSource: try prefsrc.map(address), nexthops: isEnd || nhid != nil ? [] : hops, nexthopObject: nhid)
    }
}

private struct NexthopLine: Decodable {
    struct Member: Decodable {
        var id: UInt32
        var weight: UInt16?
    }
    /// A key that is there without a value.
    struct Flag: Decodable {}
    var id: UInt32
    var gateway, dev: String?
    var group: [Member]?
    var flags: [String]
    private(set) var isBlackhole = false
    private(set) var isForwarding = false

    enum CodingKeys: CodingKey { case id, gateway, dev, group, flags, blackhole, fdb }
    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        id = try keys.decode(UInt32.self, forKey: .id)
        gateway = try keys.decodeIfPresent(String.self, forKey: .gateway)
        dev = try keys.decodeIfPresent(String.self, forKey: .dev)
        group = try keys.decodeIfPresent([Member].self, forKey: .group)
        flags = try keys.decode([String].self, forKey: .flags)
        isBlackhole = keys.contains(.blackhole)
        isForwarding = keys.contains(.fdb)
    }

    func fact(_ index: [String: Int32]) throws -> NexthopObject {
        var fact = NexthopObject(id: id, isBlackhole: isBlackhole, isForwarding: isForwarding)
        fact.group = (group ?? []).map { .init(id: $0.id, weight: $0.weight ?? 1) }
        if group == nil, !isBlackhole {
            fact.nexthop = Nexthop(
                interface: try dev.map { try some(index[$0], $0) }, gateway: try gateway.map(address), isDead: flags.contains("dead"))
        }
        return fact
    }
}

private struct RuleLine: Decodable {
    private var values: [String: String] = [:]

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: Key.self)
        for key in keys.allKeys {
            values[key.stringValue] =
                if let text = try? keys.decode(String.self, forKey: key) { text } else {
                    (try? keys.decode(Int.self, forKey: key)).map { "\($0)" } ?? ""
                }
        }
    }

    func fact(_ family: RoutingRule.Family) throws -> RoutingRule {
        func prefix(_ name: String) throws -> IPPrefix? {
            guard let text = values[name], text != "all" else { return nil }
            let address = try address(text)
            return try some(IPPrefix(address, length: values[name + "len"].flatMap { Int($0) } ?? address.bitWidth), text)
        }
        func range<T: FixedWidthInteger>(_ name: String, _ type: T.Type) throws -> ClosedRange<T>? {
            if let only = values[name] { return T(try number(only))...T(try number(only)) }
            guard let start = values[name + "_start"], let end = values[name + "_end"] else { return nil }
            return T(try number(start))...T(try number(end))
        }
        var rule = RoutingRule(family: family, priority: try number(try some(values["priority"], "priority")))
        rule.action =
            switch values["action"] {
            case "6": .blackhole
            case "7": .unreachable
            case "8": .prohibit
            default: values["nop"] != nil ? .nothing : values["goto"] != nil ? .goto : .table
            }
        rule.target = try values["goto"].map(number)
        rule.table = try values["table"].map(number) ?? 0
        rule.isInverted = values["not"] != nil
        rule.source = try prefix("src")
        rule.destination = try prefix("dst")
        rule.tos = UInt8(try values["tos"].map(number) ?? 0)
        rule.mark = try values["fwmark"].map(number) ?? 0
        rule.markMask = try values["fwmask"].map(number) ?? (values["fwmark"] == nil ? 0 : .max)
        rule.inputInterface = values["iif"]
        rule.outputInterface = values["oif"]
        // With -N a protocol is shown as `ipproto-6`.
        rule.transport = try values["ipproto"].map { try some(IPProtocol($0.replacing("ipproto-", with: "")), $0) }
        rule.sourcePorts = try range("sport", UInt16.self)
        rule.destinationPorts = try range("dport", UInt16.self)
        rule.users = try range("uid", UInt32.self)
        rule.followsVRF = values["l3mdev"] != nil
        rule.suppressedLength = values["suppress_prefixlen"].flatMap { Int32($0) } ?? -1
        rule.origin = UInt8(try values["protocol"].map(number) ?? 0)
        rule.hasOtherSelectors = values["tun_id"] != nil || values["suppress_ifgroup"] != nil
        return rule
    }
}

private struct NeighbourLine: Decodable {
    var dst, dev: String
    var lladdr: String?
    var state: [String]
    private(set) var isRouter = false

    enum CodingKeys: CodingKey { case dst, dev, lladdr, state, router }
    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        dst = try keys.decode(String.self, forKey: .dst)
        dev = try keys.decode(String.self, forKey: .dev)
        lladdr = try keys.decodeIfPresent(String.self, forKey: .lladdr)
        state = try keys.decode([String].self, forKey: .state)
        isRouter = keys.contains(.router)
    }

    func fact(_ index: [String: Int32]) throws -> Neighbour {
        let states: [String: NeighbourState] = [
            "INCOMPLETE": .incomplete, "REACHABLE": .reachable, "STALE": .stale, "DELAY": .delay, "PROBE": .probe, "FAILED": .failed,
            "NOARP": .noARP, "PERMANENT": .permanent, "NONE": [],
        ]
        return Neighbour(
            interface: try some(index[dev], dev), address: try address(dst), mac: lladdr.flatMap { MACAddress($0) },
            state: NeighbourState(try state.map { try some(states[$0], $0) }), isRouter: isRouter)
    }
}

private struct ForwardingLine: Decodable {
    var mac, ifname: String
    var vlan: UInt16?
    var dst, master, state: String?
    var vni, nhid: UInt32?
    var flags: [String]

    /// nil for the entries of a device's receive filter.
    func fact(_ index: [String: Int32]) throws -> ForwardingEntry? {
        if master == nil, dst == nil, nhid == nil { return nil }
        return ForwardingEntry(
            interface: try some(index[ifname], ifname), mac: try some(MACAddress(mac), mac), vlan: vlan, vtep: try dst.map(address),
            vni: vni,
            nexthopObject: nhid, bridge: try master.map { try some(index[$0], $0) }, isPermanent: state == "permanent" || state == "static")
    }
}
