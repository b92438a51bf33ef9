import NetworkTypes
import TestSupport
import Testing
import Topology

@testable import Netlink

/// Every dump against `ip` and `bridge`, field by field.
@Suite struct FactDumpTests {
    /// Veth pairs e1–p1, e2–p2, … with 10.0.N.1/24 and fd00:N::1/64 on eN, all up and known to be.
    static func pairs(_ count: Int) -> String {
        """
        for i in $(seq \(count)); do
            ip link add e$i type veth peer name p$i; ip link set p$i up; ip addr add 10.0.$i.1/24 dev e$i
            ip -6 addr add fd00:$i::1/64 dev e$i nodad; ip link set e$i up
        done
        while ip -o link show type veth | grep -qv 'state UP'; do sleep 0.01; done

        """
    }

    /// The same facts, however often each, in any order.
    private func expectSame<T: Hashable>(_ read: [T], _ shown: [T], atLeast: Int, _ what: Comment) {
        func counted(_ facts: [T]) -> [T: Int] { facts.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
        let (ours, theirs) = (counted(read), counted(shown))
        #expect(ours.filter { theirs[$0.key] != $0.value } == [:], what)
        #expect(theirs.filter { ours[$0.key] != $0.value } == [:], what)
        #expect(read.count >= atLeast, what)
    }

    @Test func addresses() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            Self.pairs(2)
                + """
                ip addr add 10.9.0.1 peer 10.9.0.2/32 dev e1; ip addr add 10.8.0.1/32 dev e2 scope link; ip addr add 127.0.0.9/8 dev lo
                ip -6 addr add fd99::1 peer fd99::2/128 dev e1 nodad; ip -6 addr add fd00:1::9/64 dev e1 nodad preferred_lft 0
                ip -6 addr add fe80::1/64 dev e2 nodad
                """)
        let shown = try await ShownByIP.read(namespace)
        let read = try await namespace.withSocket { try $0.addresses() }
        expectSame(read, shown.addresses, atLeast: 11, "addresses")
        let pointToPoint = try #require(read.first { $0.peer == .v4(0x0A09_0002) })
        #expect(pointToPoint.address == .v4(0x0A09_0001) && pointToPoint.connected == IPPrefix("10.9.0.2/32"))
        #expect(read.filter { !$0.isUsable }.map(\.address) == [IPAddress("fd00:1::9")!])
    }

    @Test func routesOfAllTables() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            Self.pairs(3)
                + """
                ip route add default via 10.0.1.254 metric 50
                ip route add 192.0.2.0/24 table 7 nexthop via 10.0.1.254 dev e1 weight 3 nexthop via 10.0.2.254 dev e2
                ip route add 192.0.3.0/24 via 10.0.1.254 tos 0x10 src 10.0.1.1 proto static
                ip route append 192.0.3.0/24 via 10.0.2.254 tos 0x10
                ip route add blackhole 192.0.4.0/24 table 1000000; ip route add throw 192.0.5.0/24 table 7
                ip route add unreachable 192.0.6.0/24; ip route add prohibit 0.0.0.0/8
                ip route add 192.0.7.0/24 via inet6 fd00:1::2 dev e1; ip route add 192.0.8.0/24 dev e2 scope link
                ip nexthop add id 1 via 10.0.1.254 dev e1; ip nexthop add id 2 via 10.0.2.254 dev e2
                ip nexthop add id 3 group 1,5/2,200; ip nexthop add id 6 via fd00:1::2 dev e1
                ip route add 198.51.100.0/24 nhid 3; ip -6 route add 2001:db8:4::/48 nhid 6
                ip -6 route add 2001:db8:1::/48 nexthop via fd00:1::2 dev e1 weight 2 nexthop via fd00:2::2 dev e2
                ip -6 route add 2001:db8:2::/48 from fd00:5::/64 via fd00:1::2 metric 7 table 99
                ip -6 route add unreachable 2001:db8:3::/48; ip -6 route add blackhole default metric 4000
                ip route add 203.0.113.0/24 via 10.0.3.9
                echo 1 > /proc/sys/net/ipv4/conf/e3/ignore_routes_with_linkdown; ip link set p3 down
                """)
        let shown = try await ShownByIP.read(namespace)
        let read = try await namespace.withSocket { try $0.routes() }
        expectSame(read, shown.routes, atLeast: 40, "routes")
        #expect(Set(read.map(\.table)) == [7, 99, 254, 255, 1_000_000])
        #expect(
            Set(read.map(\.kind)).isSuperset(of: [.unicast, .local, .broadcast, .multicast, .blackhole, .unreachable, .prohibit, .throw]))
        #expect(try #require(read.first { $0.destination == IPPrefix("203.0.113.0/24") }).nexthops.map(\.isDead) == [true])
        #expect(try await namespace.withSocket { try $0.routes(.ipv6) } == read.filter { !$0.destination.address.isV4 })

        let hop = try await namespace.withSocket { try $0.nexthopObjects() }
        expectSame(hop, shown.nexthops, atLeast: 4, "nexthops")
    }

    /// With `nexthop_compat_mode` 0 the kernel leaves out what the object says; the fact is the same.
    @Test func aRouteByNexthopObjectIsTheSameInEitherMode() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(Self.pairs(1) + "ip nexthop add id 1 via 10.0.1.254 dev e1; ip route add 198.51.100.0/24 nhid 1")
        let before = try await namespace.withSocket { try $0.routes(.ipv4) }
        try await namespace.sh("echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode")
        #expect(try await namespace.withSocket { try $0.routes(.ipv4) } == before)
        #expect(before.contains { $0.nexthopObject == 1 && $0.nexthops.isEmpty })
    }

    @Test func nexthopObjects() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            Self.pairs(2)
                + """
                ip nexthop add id 1 via 10.0.1.254 dev e1; ip nexthop add id 2 dev e2; ip nexthop add id 3 group 1,5/2,256
                ip nexthop add id 4 blackhole; ip nexthop add id 6 via fd00:1::2 dev e1
                ip nexthop add id 7 via 192.0.2.9 fdb; ip nexthop add id 8 group 7 fdb
                """)
        let shown = try await ShownByIP.read(namespace)
        let read = try await namespace.withSocket { try $0.nexthopObjects() }
        expectSame(read, shown.nexthops, atLeast: 7, "nexthops")
        #expect(read.map(\.id) == [1, 2, 3, 4, 6, 7, 8])
        #expect(read[2].group == [.init(id: 1, weight: 5), .init(id: 2, weight: 256)])
    }

    @Test func rulesWithEverySelector() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            """
            ip rule add priority 10 not from 10.1.0.0/16 to 10.2.3.4 tos 0x10 fwmark 0x5/0xf iif e1 oif e2 ipproto tcp \
                sport 80-90 dport 443 uidrange 5-10 lookup 1000 protocol static suppress_prefixlength 0
            ip rule add priority 11 goto 20; ip rule add priority 20 nop; ip rule add priority 12 blackhole
            ip rule add priority 13 prohibit; ip rule add priority 14 unreachable; ip rule add priority 15 fwmark 9 lookup main
            ip rule add priority 16 l3mdev; ip rule add priority 17 suppress_ifgroup 3 lookup main; ip rule add priority 18 tun_id 3 lookup 9
            ip rule add priority 19 ipproto udp dport 1000-2000 lookup default
            ip -6 rule add priority 15 from fd00::/8 to 2001:db8::1 fwmark 9 ipproto 58 lookup 7
            """)
        let shown = try await ShownByIP.read(namespace)
        let read = try await namespace.withSocket { try $0.rules() }
        #expect(read == shown.rules)
        #expect(read.count == 17)
        #expect(read.filter(\.hasOtherSelectors).map(\.priority) == [17, 18])
    }

    @Test func neighbours() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            Self.pairs(1)
                + """
                ip neigh add 10.0.1.7 lladdr 02:00:00:00:00:07 dev e1 nud permanent; ip neigh add 10.0.1.8 lladdr 02:00:00:00:00:08 dev e1 nud noarp
                ip neigh add fd00:1::7 lladdr 02:00:00:00:00:09 dev e1 router nud stale; ip neigh add proxy 10.0.1.99 dev e1
                ip neigh add 10.0.1.9 dev e1 nud failed
                """)
        let shown = try await ShownByIP.read(namespace)
        let read = try await namespace.withSocket { try $0.neighbours() }
        expectSame(read, shown.neighbours, atLeast: 4, "neighbours")
        let router = try #require(read.first { $0.address == IPAddress("fd00:1::7") })
        #expect(router.isRouter && router.state == .stale && router.mac == MACAddress("02:00:00:00:00:09"))
        #expect(read.first { $0.address == .v4(0x0A00_0109) }?.mac == nil)
        #expect(!read.contains { $0.address == .v4(0x0A00_0163) })
    }

    @Test(.requires(.vxlan, .bridge)) func forwardingEntriesOfBridgesAndVTEPs() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            Self.pairs(1)
                + """
                ip link add br0 type bridge; ip link set br0 up; ip link set p1 master br0
                ip link add vx type vxlan id 5 dstport 4789 local 10.0.1.1 dev e1 nolearning; ip link set vx master br0 up
                bridge fdb add 02:00:00:00:00:01 dev vx dst 10.0.1.5 vni 7 port 4790 self permanent
                bridge fdb append 00:00:00:00:00:00 dev vx dst 10.0.1.5 self; bridge fdb append 00:00:00:00:00:00 dev vx dst 10.0.1.6 self
                bridge fdb add 02:00:00:00:00:03 dev p1 master static; bridge fdb add 02:00:00:00:00:04 dev p1 master dynamic
                bridge fdb add 02:00:00:00:00:05 dev e1 self
                ip nexthop add id 5 via 192.0.2.1 fdb; ip nexthop add id 6 group 5 fdb; bridge fdb add 02:00:00:00:00:06 dev vx nhid 6 self
                """)
        let shown = try await ShownByIP.read(namespace)
        let read = try await namespace.withSocket { try $0.forwardingEntries() }
        // The pair's other end may or may not have been learned by now.
        expectSame(read, shown.forwarding, atLeast: 8, "forwarding")
        let index = (vx: Int32(try await namespace.index(of: "vx")), br: Int32(try await namespace.index(of: "br0")))
        #expect(read.filter { $0.mac.rawValue == 0 }.map(\.vtep) == [.v4(0x0A00_0105), .v4(0x0A00_0106)])
        #expect(
            read.contains(
                ForwardingEntry(
                    interface: index.vx, mac: MACAddress(rawValue: 0x0200_0000_0001), vtep: .v4(0x0A00_0105), vni: 7, isPermanent: true)))
        #expect(read.first { $0.mac.rawValue == 0x0200_0000_0006 }?.nexthopObject == 6)
        #expect(read.first { $0.mac.rawValue == 0x0200_0000_0004 }?.isPermanent == false)
        #expect(read.first { $0.mac.rawValue == 0x0200_0000_0003 }?.bridge == index.br)
        // The receive filter of a plain interface forwards nothing.
        #expect(!read.contains { $0.mac.rawValue == 0x0200_0000_0005 || $0.mac.rawValue >> 32 == 0x3333 })
    }

    @Test func aPeersNumberLeadsToItsNamespace() async throws {
        let pair = try await Pair()
        let (a, b) = (pair.a, pair.b)
        let paths = [a.path, b.path]
        try await b.run {
            let socket = try NetlinkSocket()
            let veth = try #require(try socket.links().first { $0.kind == "veth" })
            let number = try #require(veth.peerNamespace)
            #expect(try socket.namespaceNumbers() == [number])
            let others = try paths.map { try Netlink.NetworkNamespace.at(path: $0) } + [Netlink.NetworkNamespace.current()]
            #expect(try socket.namespacesByNumber(among: others) == [number: others[0].id])
            #expect(try socket.namespaceNumber(of: others[0]) == number)
            #expect(try socket.namespaceNumber(of: others[1]) == nil)
            #expect(try socket.namespacesByNumber(among: [others[1]]).isEmpty)
        }
    }
}
