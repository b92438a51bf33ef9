import Foundation
import NetworkTypes
import PathComputation
import Topology

// What `ip -N -j` and `bridge -j` print, as far as it is needed.

struct LinkJSON: Decodable {
    struct Info: Decodable {
        struct Details: Decodable {
            var id: Int?
            var local: String?
            var local6: String?
            var remote: String?
            var remote6: String?
            var group: String?
            var group6: String?
            var port: Int?
            var link: String?
            var ttl: Int?
            var learning: Bool?
            var table: Int?
        }
        struct Port: Decodable {
            var state: String?
            var flood: Bool?
            var bcast_flood: Bool?
            var hairpin: Bool?
            var learning: Bool?
            var isolated: Bool?
            var neigh_suppress: Bool?
        }
        var info_kind: String?
        var info_data: Details?
        var info_slave_kind: String?
        var info_slave_data: Port?
    }
    var ifindex: Int32
    var ifname: String
    var link: String?
    var flags: [String]
    var mtu: Int
    var master: String?
    var link_type: String?
    var address: String?
    var linkinfo: Info?
    var inet6_addr_gen_mode: String?
}

struct AddressesJSON: Decodable {
    struct Address: Decodable {
        var family: String
        var local: String?
        var address: String?
        var prefixlen: Int
        var scope: String
        var tentative: Bool?
        var deprecated: Bool?

        func convert(interface: Int32) throws -> InterfaceAddress {
            guard let local = local.flatMap({ IPAddress($0) }) else { throw Unexpected("an address without “local”") }
            return InterfaceAddress(
                interface: interface, address: local, prefixLength: prefixlen, peer: address.flatMap { IPAddress($0) },
                scope: try AddressScope(numeric: scope), isUsable: tentative != true && deprecated != true)
        }
    }
    var ifindex: Int32
    var addr_info: [Address]
}

extension AddressScope {
    init(numeric text: String?) throws {
        let names: [String: UInt8] = ["global": 0, "link": 253, "host": 254]
        guard let text else {
            self = .global
            return
        }
        guard let value = UInt8(text) ?? names[text] else { throw Unexpected("scope \(text)") }
        self.init(rawValue: value)
    }
}

func prefix(_ text: String, isV4: Bool) throws -> IPPrefix {
    if text == "default" { return isV4 ? IPPrefix(.v4(0), length: 0)! : IPPrefix(.v6(high: 0, low: 0), length: 0)! }
    if let prefix = IPPrefix(text) { return prefix }
    guard let address = IPAddress(text), let prefix = IPPrefix(address, length: address.bitWidth) else {
        throw Unexpected("prefix \(text)")
    }
    return prefix
}

func number(_ text: String) -> UInt32? { text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text) }

struct RuleJSON: Decodable {
    private enum Key: String, CodingKey {
        case priority, not, src, srclen, dst, dstlen, tos, fwmark, fwmask, iif, oif, uid_start, uid_end, ipproto, sport, sport_start
        case sport_end, dport, dport_start, dport_end, table, goto, nop, action, suppress_prefixlen, l3mdev
    }
    private let box: KeyedDecodingContainer<Key>
    init(from decoder: any Decoder) throws { box = try decoder.container(keyedBy: Key.self) }

    private func text(_ key: Key) throws -> String? { try box.decodeIfPresent(String.self, forKey: key) }
    private func count(_ key: Key) throws -> Int? { try box.decodeIfPresent(Int.self, forKey: key) }

    private func ports(_ one: Key, _ first: Key, _ last: Key) throws -> ClosedRange<UInt16>? {
        if let port = try count(one) { return UInt16(port)...UInt16(port) }
        guard let a = try count(first), let b = try count(last) else { return nil }
        return UInt16(a)...UInt16(b)
    }

    func convert(_ family: RoutingRule.Family) throws -> RoutingRule {
        var rule = RoutingRule(family: family, priority: UInt32(try count(.priority) ?? 0))
        let width = family == .ipv4 ? 32 : 128
        rule.isInverted = box.contains(.not)
        if let source = try text(.src), source != "all" {
            rule.source = try prefix("\(source)/\(try count(.srclen) ?? width)", isV4: family == .ipv4)
        }
        if let destination = try text(.dst), destination != "all" {
            rule.destination = try prefix("\(destination)/\(try count(.dstlen) ?? width)", isV4: family == .ipv4)
        }
        rule.tos = try UInt8(text(.tos).flatMap { number($0) } ?? 0)
        if let mark = try text(.fwmark).flatMap({ number($0) }) {
            rule.mark = mark
            rule.markMask = try text(.fwmask).flatMap { number($0) } ?? .max
        }
        rule.inputInterface = try text(.iif)
        rule.outputInterface = try text(.oif)
        if let first = try count(.uid_start), let last = try count(.uid_end) { rule.users = UInt32(first)...UInt32(last) }
        if let name = try text(.ipproto), let value = UInt8(name.replacingOccurrences(of: "ipproto-", with: "")) {
            rule.transport = IPProtocol(rawValue: value)
        }
        rule.sourcePorts = try ports(.sport, .sport_start, .sport_end)
        rule.destinationPorts = try ports(.dport, .dport_start, .dport_end)
        rule.table = try text(.table).flatMap { number($0) } ?? 0
        rule.suppressedLength = try Int32(count(.suppress_prefixlen) ?? -1)
        if let target = try count(.goto) {
            rule.action = .goto
            rule.target = UInt32(target)
        } else if box.contains(.nop) {
            rule.action = .nothing
        } else if let action = try text(.action) {
            guard let value = UInt8(action).flatMap({ RoutingRule.Action(rawValue: $0) }) else { throw Unexpected("action \(action)") }
            rule.action = value
        }
        return rule
    }
}

struct RouteJSON: Decodable {
    struct Way: Decodable {
        var gateway: String?
        var via: Via?
        var dev: String?
        var weight: Int?
        var flags: [String]?

        func convert(_ numbers: [String: Int32]) throws -> Nexthop {
            Nexthop(
                interface: dev.flatMap { numbers[$0] }, gateway: (gateway ?? via?.host).flatMap { IPAddress($0) },
                weight: UInt16(weight ?? 1), isDead: flags?.contains("dead") ?? false)
        }
    }
    struct Via: Decodable { var host: String }
    var type: String?
    var dst: String
    var from: String?
    var tos: String?
    var table: String?
    var `protocol`: String?
    var scope: String?
    var prefsrc: String?
    var metric: UInt32?
    var nhid: UInt32?
    var nexthops: [Way]?
    var gateway: String?
    var via: Via?
    var dev: String?
    var flags: [String]?

    func convert(isV4: Bool, _ numbers: [String: Int32]) throws -> Route {
        let kind = try type.map { text in
            guard let kind = UInt8(text).flatMap({ RouteKind(rawValue: $0) }) else { throw Unexpected("route type \(text)") }
            return kind
        }
        var route = Route(destination: try prefix(dst, isV4: isV4), kind: kind ?? .unicast)
        route.table = table.flatMap { number($0) } ?? 254
        route.source = try from.map { try prefix($0, isV4: isV4) }
        route.tos = UInt8(tos.flatMap { number($0) } ?? 0)
        route.metric = metric ?? 0
        route.origin = `protocol`.flatMap { UInt8($0) } ?? 0
        route.scope = try AddressScope(numeric: scope)
        route.preferredSource = prefsrc.flatMap { IPAddress($0) }
        route.nexthopObject = nhid
        switch route.kind {
        case .blackhole, .unreachable, .prohibit, .throw: break
        default:
            if nhid == nil {
                route.nexthops = try (nexthops ?? [Way(gateway: gateway, via: via, dev: dev, weight: nil, flags: flags)])
                    .map { try $0.convert(numbers) }
            }
        }
        return route
    }
}

struct NexthopObjectJSON: Decodable {
    struct Member: Decodable {
        var id: UInt32
        var weight: UInt16?
    }
    var id: UInt32
    var gateway: String?
    var dev: String?
    var group: [Member]?
    var isBlackhole: Bool
    var isForwarding: Bool

    private enum Key: String, CodingKey { case id, gateway, dev, group, blackhole, fdb }
    init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: Key.self)
        id = try box.decode(UInt32.self, forKey: .id)
        gateway = try box.decodeIfPresent(String.self, forKey: .gateway)
        dev = try box.decodeIfPresent(String.self, forKey: .dev)
        group = try box.decodeIfPresent([Member].self, forKey: .group)
        isBlackhole = box.contains(.blackhole)
        isForwarding = box.contains(.fdb)
    }

    func convert(_ numbers: [String: Int32]) throws -> NexthopObject {
        let members = (group ?? []).map { NexthopObject.Member(id: $0.id, weight: $0.weight ?? 1) }
        let own = members.isEmpty && !isBlackhole
        return NexthopObject(
            id: id,
            nexthop: own ? Nexthop(interface: dev.flatMap { numbers[$0] }, gateway: gateway.flatMap { IPAddress($0) }) : nil,
            group: members, isBlackhole: isBlackhole, isForwarding: isForwarding)
    }
}

struct NeighbourJSON: Decodable {
    var dst: String
    var dev: String
    var lladdr: String?
    var state: [String]

    func convert(_ numbers: [String: Int32]) -> Neighbour? {
        let bits: [String: NeighbourState] = [
            "INCOMPLETE": .incomplete, "REACHABLE": .reachable, "STALE": .stale, "DELAY": .delay, "PROBE": .probe, "FAILED": .failed,
            "NOARP": .noARP, "PERMANENT": .permanent,
        ]
        guard let address = IPAddress(dst), let interface = numbers[dev] else { return nil }
        return Neighbour(
            interface: interface, address: address, mac: lladdr.flatMap { MACAddress($0) },
            state: state.reduce(into: NeighbourState()) { $0.formUnion(bits[$1] ?? []) })
    }
}

struct ForwardingJSON: Decodable {
    var mac: String
    var ifname: String
    var master: String?
    var dst: String?
    var vni: UInt32?
    var nhid: UInt32?
    var vlan: UInt16?
    var flags: [String]?
    var state: String?

    func convert(_ numbers: [String: Int32]) throws -> ForwardingEntry? {
        guard let interface = numbers[ifname], let mac = MACAddress(mac) else { throw Unexpected("fdb entry of \(ifname)") }
        return ForwardingEntry(
            interface: interface, mac: mac, vlan: vlan, vtep: dst.flatMap { IPAddress($0) }, vni: vni, nexthopObject: nhid,
            bridge: master.flatMap { numbers[$0] }, isPermanent: state == "permanent" || state == "static")
    }
}
