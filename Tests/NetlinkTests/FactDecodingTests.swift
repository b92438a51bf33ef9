import CNetlink
import NetworkTypes
import TestSupport
import Testing
import Topology

@testable import Netlink

/// Payloads as kernel 6.18 sent them on a little-endian machine, in hexadecimal, an attribute a line.
private enum Golden {
    static let address = [
        "02 20 80 00 03 00 00 00",  // AF_INET, /32, permanent, global, interface 3
        "08 00 01 00 0a 09 00 02",  // IFA_ADDRESS: the other end
        "08 00 02 00 0a 09 00 01",  // IFA_LOCAL
        "07 00 03 00 65 31 00 00",  // IFA_LABEL "e1"
        "08 00 08 00 80 00 00 00",  // IFA_FLAGS: permanent
        "14 00 06 00 ff ff ff ff ff ff ff ff f7 06 25 00 f7 06 25 00",  // IFA_CACHEINFO
    ]
    static let multipath = [
        "02 18 00 10 fc 03 00 01 00 00 00 00",  // AF_INET, /24, TOS 0x10, RT_TABLE_COMPAT, boot, global, unicast
        "08 00 0f 00 e8 03 00 00",  // RTA_TABLE 1000
        "08 00 01 00 0a 09 08 00",  // RTA_DST
        "08 00 06 00 07 00 00 00",  // RTA_PRIORITY 7
        "08 00 07 00 0a 09 00 01",  // RTA_PREFSRC
        "34 00 09 00",  // RTA_MULTIPATH
        "10 00 00 02 05 00 00 00",  // 16 bytes, weight 3, interface 5
        "08 00 05 00 0a 00 02 09",  // RTA_GATEWAY
        "20 00 01 00 03 00 00 00",  // 32 bytes, dead, weight 1, interface 3
        "16 00 12 00 0a 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00",  // RTA_VIA, AF_INET6
    ]
    static let sourceRoute = [
        "0a 20 40 00 fe 03 00 01 00 00 00 00",  // AF_INET6, /32, from /64, main, boot, global, unicast
        "08 00 0f 00 fe 00 00 00",  // RTA_TABLE main
        "14 00 01 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 00",  // RTA_DST
        "14 00 02 00 fd 00 00 05 00 00 00 00 00 00 00 00 00 00 00 00",  // RTA_SRC
        "08 00 06 00 00 04 00 00",  // RTA_PRIORITY 1024
        "14 00 05 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02",  // RTA_GATEWAY
        "08 00 04 00 03 00 00 00",  // RTA_OIF 3
        "05 00 14 00 00 00 00 00",  // RTA_PREF
    ]
    static let rule = [
        "02 20 10 10 fc 00 00 01 02 00 00 00",  // AF_INET, to /32, from /16, TOS 0x10, RT_TABLE_COMPAT, to table, inverted
        "08 00 0f 00 e8 03 00 00",  // FRA_TABLE 1000
        "08 00 0e 00 00 00 00 00",  // FRA_SUPPRESS_PREFIXLEN 0
        "05 00 15 00 04 00 00 00",  // FRA_PROTOCOL static
        "07 00 03 00 65 31 00 00",  // FRA_IIFNAME
        "07 00 11 00 65 32 00 00",  // FRA_OIFNAME
        "08 00 06 00 0a 00 00 00",  // FRA_PRIORITY 10
        "08 00 0a 00 05 00 00 00",  // FRA_FWMARK 5
        "08 00 10 00 0f 00 00 00",  // FRA_FWMASK 15
        "0c 00 14 00 05 00 00 00 0a 00 00 00",  // FRA_UID_RANGE 5–10
        "08 00 17 00 50 00 5a 00",  // FRA_SPORT_RANGE 80–90
        "08 00 18 00 bb 01 bb 01",  // FRA_DPORT_RANGE 443
        "06 00 1d 00 ff ff 00 00",  // FRA_DPORT_MASK: all bits
        "05 00 16 00 06 00 00 00",  // FRA_IP_PROTO TCP
        "08 00 01 00 0a 02 03 04",  // FRA_DST
        "08 00 02 00 0a 01 00 00",  // FRA_SRC
    ]
    static let group = [
        "00 00 00 00 00 00 00 00",  // AF_UNSPEC
        "08 00 01 00 03 00 00 00",  // NHA_ID 3
        "06 00 03 00 00 00 00 00",  // NHA_GROUP_TYPE: multipath
        "14 00 02 00 01 00 00 00 04 00 00 00 02 00 00 00 ff 01 00 00",  // NHA_GROUP: 1 weight 5, 2 weight 512
        "08 00 0e 00 00 00 00 80",  // NHA_OP_FLAGS
    ]
    static let neighbour = [
        "0a 00 00 00 03 00 00 00 04 00 80 01",  // AF_INET6, interface 3, stale, router
        "14 00 01 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 07",  // NDA_DST
        "0a 00 02 00 02 00 00 00 00 07 00 00",  // NDA_LLADDR
        "08 00 04 00 00 00 00 00",  // NDA_PROBES
        "14 00 03 00 72 17 00 00 02 00 00 00 02 00 00 00 00 00 00 00",  // NDA_CACHEINFO
    ]
    static let forwarding = [
        "07 00 00 00 06 00 00 00 c0 00 02 01",  // AF_BRIDGE, interface 6, noarp and permanent, self
        "0a 00 02 00 02 00 00 00 00 01 00 00",  // NDA_LLADDR
        "08 00 01 00 0a 00 01 05",  // NDA_DST
        "06 00 06 00 12 b6 00 00",  // NDA_PORT 4790
        "08 00 07 00 07 00 00 00",  // NDA_VNI 7
        "14 00 03 00 00 00 00 00 02 00 00 00 02 00 00 00 00 00 00 00",  // NDA_CACHEINFO
    ]
    static let chain = [
        "05 00 00 06",  // NFPROTO_NETDEV
        "06 00 01 00 74 00 00 00",  // NFTA_CHAIN_TABLE "t"
        "07 00 03 00 69 6e 00 00",  // NFTA_CHAIN_NAME "in"
        "0c 00 02 00 00 00 00 00 00 00 00 01",  // NFTA_CHAIN_HANDLE
        "28 00 04 00",  // NFTA_CHAIN_HOOK
        "08 00 01 00 00 00 00 00",  // NFTA_HOOK_HOOKNUM 0: ingress
        "08 00 02 00 ff ff ff fb",  // NFTA_HOOK_PRIORITY -5
        "0c 00 04 00 07 00 01 00 6c 6f 00 00",  // NFTA_HOOK_DEVS: "lo"
        "07 00 03 00 6c 6f 00 00",  // NFTA_HOOK_DEV "lo"
        "08 00 05 00 00 00 00 00",  // NFTA_CHAIN_POLICY: drop
        "0b 00 07 00 66 69 6c 74 65 72 00 00",  // NFTA_CHAIN_TYPE "filter"
        "08 00 06 00 00 00 00 00",  // NFTA_CHAIN_USE
    ]
    static let translated = [
        "02 00 00 00",  // AF_INET
        "34 00 01 80",  // CTA_TUPLE_ORIG
        "14 00 01 80 08 00 01 00 0a 09 00 01 08 00 02 00 0a 09 09 09",  // CTA_TUPLE_IP: 10.9.0.1 to 10.9.9.9
        "1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 a0 7b 00 00 06 00 03 00 00 35 00 00",  // CTA_TUPLE_PROTO: UDP, 41083 to 53
        "34 00 02 80",  // CTA_TUPLE_REPLY
        "14 00 01 80 08 00 01 00 0a 00 02 01 08 00 02 00 0a 09 00 01",  // CTA_TUPLE_IP: 10.0.2.1 to 10.9.0.1
        "1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 14 e9 00 00 06 00 03 00 a0 7b 00 00",  // CTA_TUPLE_PROTO: UDP, 5353 to 41083
        "08 00 03 00 00 00 01 a8",  // CTA_STATUS: confirmed, DST_NAT, both sides set up
        "06 00 12 00 00 09 00 00",  // CTA_ZONE 9
    ]
    static let vlan = [
        "00 00 01 00 07 00 00 00 43 10 01 00 00 00 00 00",  // AF_UNSPEC, Ethernet, interface 7, up
        "08 00 03 00 65 2e 35 00",  // IFLA_IFNAME "e.5"
        "08 00 05 00 03 00 00 00",  // IFLA_LINK 3
        "05 00 10 00 06 00 00 00",  // IFLA_OPERSTATE up
        "24 00 12 00",  // IFLA_LINKINFO
        "09 00 01 00 76 6c 61 6e 00 00 00 00",  // IFLA_INFO_KIND "vlan"
        "14 00 02 00 06 00 05 00 88 a8 00 00 06 00 01 00",  // IFLA_INFO_DATA: 802.1ad, …
        "05 00 00 00",  // … VLAN 5
        "11 00 38 00 30 30 30 30 3a 30 31 3a 30 30 2e 30 00 00 00 00",  // IFLA_PARENT_DEV_NAME "0000:01:00.0"
    ]
    static let bondPort = [
        "00 00 01 00 08 00 00 00 43 18 01 00 00 00 00 00",  // AF_UNSPEC, Ethernet, interface 8, up
        "08 00 0a 00 09 00 00 00",  // IFLA_MASTER 9
        "28 00 12 00",  // IFLA_LINKINFO
        "09 00 01 00 76 65 74 68 00 00 00 00",  // IFLA_INFO_KIND "veth"
        "09 00 04 00 62 6f 6e 64 00 00 00 00",  // IFLA_INFO_SLAVE_KIND "bond"
        "0c 00 05 00 05 00 01 00 01 00 00 00",  // IFLA_INFO_SLAVE_DATA: IFLA_BOND_SLAVE_STATE backup
    ]
    static let all = [address, multipath, sourceRoute, rule, group, neighbour, forwarding, chain, translated, vlan, bondPort].map(bytes)

    static func bytes(_ lines: [String]) -> [UInt8] { lines.flatMap { $0.split(separator: " ").map { UInt8($0, radix: 16)! } } }
}

extension [String] {
    fileprivate func read<T>(_ body: (UnsafeRawBufferPointer) -> T?) throws -> T {
        try #require(Golden.bytes(self).withUnsafeBytes { body($0) })
    }
}

@Suite struct FactDecodingTests {
    @Test func addresses() throws {
        #expect(
            try Golden.address.read { InterfaceAddress(netlink: $0) }
                == InterfaceAddress(interface: 3, address: .v4(0x0A09_0001), prefixLength: 32, peer: .v4(0x0A09_0002)))
    }

    @Test func routes() throws {
        let multipath = Route(
            table: 1000, destination: IPPrefix("10.9.8.0/24")!, tos: 0x10, metric: 7, origin: 3, preferredSource: .v4(0x0A09_0001),
            nexthops: [
                Nexthop(interface: 5, gateway: .v4(0x0A00_0209), weight: 3),
                Nexthop(interface: 3, gateway: IPAddress("fd00::2"), weight: 1, isDead: true),
            ])
        #expect(try Golden.multipath.read { Route(netlink: $0) } == multipath)
        let sourceRoute = Route(
            destination: IPPrefix("2001:db8::/32")!, source: IPPrefix("fd00:5::/64"), metric: 1024, origin: 3,
            nexthops: [Nexthop(interface: 3, gateway: IPAddress("fd00::2"))])
        #expect(try Golden.sourceRoute.read { Route(netlink: $0) } == sourceRoute)
    }

    @Test func whatIsNoRouteIsLeftOut() {
        func route(_ change: (inout [UInt8]) -> Void) -> Route? {
            var bytes = Golden.bytes(Golden.sourceRoute)
            change(&bytes)
            return bytes.withUnsafeBytes { Route(netlink: $0) }
        }
        #expect(route { $0[9] = 0x02 } == nil, "RTM_F_CLONED: a cached exception")
        #expect(route { $0[0] = 129 } == nil, "multicast forwarding")
        #expect(route { $0[7] = 11 } == nil, "RTN_XRESOLVE")
        #expect(route { $0[1] = 129 } == nil, "a prefix longer than an address")
        #expect(route { $0[2] = 200 } == nil, "the same of the source")
        #expect(route { $0[0] = 2 } == nil, "addresses of another family than the header's")
        #expect(route { $0[7] = 7 }?.nexthops == [], "unreachable: its interface is no way on")
    }

    @Test func rules() throws {
        var rule = RoutingRule(family: .ipv4, priority: 10, table: 1000)
        rule.isInverted = true
        rule.source = IPPrefix("10.1.0.0/16")
        rule.destination = IPPrefix("10.2.3.4/32")
        rule.tos = 0x10
        (rule.mark, rule.markMask) = (5, 15)
        (rule.inputInterface, rule.outputInterface) = ("e1", "e2")
        rule.transport = .tcp
        (rule.sourcePorts, rule.destinationPorts, rule.users) = (80...90, 443...443, 5...10)
        rule.suppressedLength = 0
        rule.origin = 4
        #expect(try Golden.rule.read { RoutingRule(netlink: $0) } == rule)
        // A port mask, FRA_DSCP (25), and a number that no kernel has yet.
        for other in ["06 00 1d 00 f0 ff 00 00", "05 00 19 00 08 00 00 00", "08 00 ff 00 01 00 00 00"] {
            #expect(try (Golden.rule + [other]).read { RoutingRule(netlink: $0) }.hasOtherSelectors)
        }
        // Without its addresses it would match what it must not.
        #expect(Golden.bytes(Golden.rule.dropLast()).withUnsafeBytes { RoutingRule(netlink: $0) } == nil)
    }

    @Test func nexthopObjects() throws {
        #expect(
            try Golden.group.read { NexthopObject(netlink: $0) }
                == NexthopObject(id: 3, group: [.init(id: 1, weight: 5), .init(id: 2, weight: 512)]))
    }

    @Test func neighboursAndForwarding() throws {
        let mac = MACAddress("02:00:00:00:00:07")
        #expect(
            try Golden.neighbour.read { Neighbour(netlink: $0) }
                == Neighbour(interface: 3, address: IPAddress("fd00::7")!, mac: mac, state: .stale, isRouter: true))
        #expect(
            try Golden.forwarding.read { ForwardingEntry(netlink: $0) }
                == ForwardingEntry(
                    interface: 6, mac: MACAddress("02:00:00:00:00:01")!, vtep: .v4(0x0A00_0105), vni: 7, isPermanent: true))
        #expect(Golden.bytes(Golden.forwarding.dropLast()).withUnsafeBytes { ForwardingEntry(netlink: $0) } == nil, "a receive filter's")
        #expect(Golden.bytes(Golden.forwarding).withUnsafeBytes { Neighbour(netlink: $0) } == nil)
        #expect(Golden.bytes(Golden.neighbour).withUnsafeBytes { ForwardingEntry(netlink: $0) } == nil)
    }

    @Test func chainsAndTranslatedFlows() throws {
        #expect(
            try Golden.chain.read { NetfilterChain(netlink: $0) }
                == NetfilterChain(
                    family: .netdev, table: "t", name: "in", hook: .init(name: "ingress", priority: -5, accepts: false, devices: ["lo"])))
        let flow = TranslatedFlow(
            transport: .udp,
            original: .init(source: .v4(0x0A09_0001), destination: .v4(0x0A09_0909), sourcePort: 41083, destinationPort: 53),
            reply: .init(source: .v4(0x0A00_0201), destination: .v4(0x0A09_0001), sourcePort: 5353, destinationPort: 41083),
            isSourceTranslated: false, isDestinationTranslated: true, zone: 9)
        #expect(try Golden.translated.read { TranslatedFlow(netlink: $0) } == flow)
    }

    @Test func links() throws {
        let vlan = try Golden.vlan.read { LinkObservation($0) }
        #expect(vlan.kind == "vlan" && vlan.vlan?.id == 5 && vlan.vlan?.tag.rawValue == 0x88A8 && vlan.peer == 3)
        #expect(vlan.operationalState == 6 && vlan.parentDevice == "0000:01:00.0" && vlan.bridge == nil)
        let port = try Golden.bondPort.read { LinkObservation($0) }
        #expect(port.master == 9 && port.portKind == "bond" && port.isActivePort == false && port.kind == "veth")
    }

    /// Every cut and many changes of real messages: Swift's bounds checks are the judges, and a cut message never turns into another fact
    /// with more in it than was left.
    @Test func cutAndChangedMessagesAreHarmless() {
        func decode(_ bytes: [UInt8]) {
            bytes.withUnsafeBytes {
                _ = (LinkObservation($0), InterfaceAddress(netlink: $0), Route(netlink: $0), RoutingRule(netlink: $0))
                _ = (NexthopObject(netlink: $0), Neighbour(netlink: $0), ForwardingEntry(netlink: $0), NetfilterChain(netlink: $0))
                _ = (NetfilterChain.Key(rule: $0), TranslatedFlow(netlink: $0), LinkSpeed($0), NetlinkSocket.namespaceNumber($0))
                for type in RTM_NEWLINK...RTM_DELNSID {
                    _ = TopologyEvent(
                        NetlinkMessage(
                            header: nlmsghdr(nlmsg_len: 0, nlmsg_type: UInt16(type), nlmsg_flags: 0, nlmsg_seq: 0, nlmsg_pid: 0),
                            payload: $0))
                }
            }
        }
        var random = SplitMix64(seed: 11)
        for message in Golden.all {
            for length in 0...message.count { decode(Array(message[..<length])) }
            for at in message.indices {
                for value: UInt8 in [0, 1, 3, 4, 0x7F, 0x80, 0xFF] {
                    var changed = message
                    changed[at] = value
                    decode(changed)
                }
            }
            for _ in 0..<500 {
                var changed = message
                for _ in 0..<4 { changed[Int.random(in: 0..<changed.count, using: &random)] = .random(in: 0...255, using: &random) }
                decode(changed)
            }
        }
    }
}
