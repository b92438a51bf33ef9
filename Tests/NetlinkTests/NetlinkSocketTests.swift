import CNetlink
import Foundation
import NetworkTypes
import TestSupport
import Testing

@testable import Netlink

typealias TestNamespace = TestSupport.NetworkNamespace

extension TestNamespace {
    /// Runs `body` in the namespace with a socket of its own.
    func withSocket<T: Sendable>(_ body: @escaping @Sendable (NetlinkSocket) throws -> T) async throws -> T {
        try await run { try body(NetlinkSocket()) }
    }
}

/// The parts of `ip -s -j -d link` that are compared.
private struct IPLink: Decodable {
    struct Statistics: Decodable {
        struct Receive: Decodable { var bytes, packets, errors, dropped, missed_errors: UInt64? }
        struct Transmit: Decodable { var bytes, packets, errors, dropped: UInt64? }
        var rx: Receive
        var tx: Transmit
    }
    var ifindex: Int32
    var ifname: String
    var mtu: UInt32
    var address: String?
    var stats64: Statistics
}

private let tunDevices = Requirement("TUN devices") { try await TestNamespace().sh("ip tuntap add mode tun dev x") }

@Suite struct LinkTests {
    @Test func countersEqualThoseOfIP() async throws {
        let pair = try await Pair()
        try await pair.a.sendUDP(137, size: 999, to: Pair.addressB, port: 4000)
        try await pair.b.sendUDP(11, size: 1, to: Pair.addressA, port: 4000)
        for (namespace, sent, received) in [(pair.a, UInt64(137), UInt64(11)), (pair.b, 11, 137)] {
            let shown = try JSONDecoder().decode([IPLink].self, from: Data(try await namespace.sh("ip -s -j link show").utf8))
            let links = try await namespace.withSocket { try $0.links() }
            #expect(links.map(\.index) == shown.map(\.ifindex).sorted())
            for link in shown {
                let seen = try #require(links.first { $0.index == link.ifindex })
                #expect(seen.name == link.ifname && seen.mtu == link.mtu)
                // A tunnel over IP, of which every namespace has one once some test has loaded its module, has its local end for one.
                let end = seen.address.withUnsafeBytes { IPAddress(wire: $0) }
                #expect(end?.description ?? seen.address.map { String(format: "%02x", $0) }.joined(separator: ":") == link.address)
                let counters = seen.counters
                #expect(counters.rxPackets == link.stats64.rx.packets && counters.rxBytes == link.stats64.rx.bytes)
                #expect(counters.rxErrors == link.stats64.rx.errors && counters.rxDropped == link.stats64.rx.dropped)
                #expect(counters.txPackets == link.stats64.tx.packets && counters.txBytes == link.stats64.tx.bytes)
                #expect(counters.txErrors == link.stats64.tx.errors && counters.txDropped == link.stats64.tx.dropped)
            }
            let veth = try #require(links.first { $0.kind == "veth" })
            #expect(veth.counters.txPackets >= sent && veth.counters.rxPackets >= received)
        }
    }

    @Test func vethHasItsPeerAndFlags() async throws {
        let pair = try await Pair()
        let index = (a: try await pair.a.index(of: "va"), b: try await pair.b.index(of: "vb"))
        let links = try await pair.a.withSocket { try $0.links() }
        let veth = try #require(links.first { $0.name == "va" })
        #expect(veth.index == Int32(index.a) && veth.peer == Int32(index.b) && veth.kind == "veth")
        #expect(try #require(veth.peerNamespace) >= 0)
        #expect(veth.flags.isSuperset(of: [.up, .running, .lowerUp]) && !veth.flags.contains(.loopback))
        #expect(veth.hardwareType == UInt16(ARPHRD_ETHER) && !veth.isLayer3 && veth.vxlan == nil && veth.master == nil)
        let loopback = try #require(links.first { $0.name == "lo" })
        #expect(loopback.flags.contains(.loopback) && loopback.kind.isEmpty && !loopback.isLayer3 && loopback.peer == nil)

        try await pair.a.sh("ip link set va alias 'of nilo' down")
        let again = try await pair.a.withSocket { try $0.link(Int32(index.a)) }
        #expect(again?.alias == "of nilo" && again?.flags.contains(.up) == false)
        #expect(try await pair.a.withSocket { try $0.link(9999) } == nil)
    }

    @Test func aPeerInTheSameNamespaceHasNoNamespaceNumber() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip link add one type veth peer name two")
        let links = try await namespace.withSocket { try $0.links() }
        let one = try #require(links.first { $0.name == "one" })
        let two = try #require(links.first { $0.name == "two" })
        #expect(one.peer == two.index && two.peer == one.index && one.peerNamespace == nil)
    }

    @Test(.requires(tunDevices)) func tunIsLayer3() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip tuntap add mode tun dev tun0")
        let links = try await namespace.withSocket { try $0.links() }
        let tun = try #require(links.first { $0.name == "tun0" })
        #expect(tun.isLayer3 && tun.kind == "tun" && tun.address.isEmpty)
    }

    @Test(.requires(.vxlan, .bridge)) func vxlanAndBridge() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            """
            ip link add br0 type bridge; ip link add under type veth peer name other
            ip link add vx4 type vxlan id 4097 local 192.0.2.1 remote 192.0.2.2 dstport 4789 dev under
            ip link add vx6 type vxlan id 7 local 2001:db8::1 remote 2001:db8::2 dstport 8472
            ip link add vxm type vxlan external dstport 4790
            ip link set vx4 master br0
            """)
        let links = try await namespace.withSocket { try $0.links() }
        func link(_ name: String) throws -> LinkObservation { try #require(links.first { $0.name == name }) }
        let four = try link("vx4")
        let parameters = try #require(four.vxlan)
        #expect(four.kind == "vxlan" && parameters.vni == 4097 && parameters.destinationPort == 4789)
        #expect(parameters.local == .v4(0xC000_0201) && parameters.remote == .v4(0xC000_0202) && !parameters.isMetadataDriven)
        #expect(try parameters.underlay == link("under").index)
        #expect(try four.master == link("br0").index && link("br0").kind == "bridge")
        let six = try #require(link("vx6").vxlan)
        #expect(six.vni == 7 && six.destinationPort == 8472 && six.underlay == nil)
        #expect(six.local == .v6(high: 0x2001_0DB8_0000_0000, low: 1) && six.remote == .v6(high: 0x2001_0DB8_0000_0000, low: 2))
        let metadata = try #require(link("vxm").vxlan)
        #expect(metadata.isMetadataDriven && metadata.vni == 0 && metadata.remote == nil)
    }

    @Test func aSocketStaysInItsNamespace() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip link add onlyhere type veth peer name andhere")
        let path = namespace.path
        let (names, cookies) = try await onOwnThread {
            let opened = try Netlink.NetworkNamespace.at(path: path)
            let home = try Netlink.NetworkNamespace.current()
            let socket = try NetlinkSocket(in: opened)
            #expect(try Netlink.NetworkNamespace.current().id == home.id)
            #expect(try opened.inside { try Netlink.NetworkNamespace.current().id } == opened.id)
            return (try socket.links().map(\.name), [opened.cookie, home.cookie])
        }
        #expect(Set(names).subtracting(TestSupport.NetworkNamespace.fallbackTunnels) == ["lo", "onlyhere", "andhere"])
        #expect(cookies[0] == (try await namespace.cookie()) && cookies[0] != cookies[1])
    }

    @Test func namespacesThatAreNotThereSaySo() async throws {
        try await onOwnThread {
            #expect(throws: NetlinkError("open network namespace no-such-name", code: ENOENT)) {
                try Netlink.NetworkNamespace.named("no-such-name")
            }
            #expect(throws: NetlinkError.self) { try Netlink.NetworkNamespace.named("../../proc/self/ns/net") }
            #expect(throws: NetlinkError.self) { try Netlink.NetworkNamespace.at(path: "/proc/self/ns/uts").inside {} }
            struct Away: Error {}
            let home = try Netlink.NetworkNamespace.current().id
            #expect(throws: Away.self) { try Netlink.NetworkNamespace.ofProcess(getpid()).inside { throw Away() } }
            #expect(try Netlink.NetworkNamespace.current().id == home)
        }
    }
}

@Suite struct DefaultRouteTests {
    @Test func everyDefaultRouteOfTheMainTable() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        #expect(try await namespace.withSocket { try $0.defaultRoutes() }.isEmpty)
        try await namespace.sh(
            """
            for i in 1 2 3 4; do
                ip link add e$i type veth peer name p$i; ip link set p$i up; ip addr add 10.0.$i.1/24 dev e$i; ip link set e$i up
            done
            ip route add default via 10.0.1.254 dev e1 metric 50
            ip route add default metric 100 nexthop via 10.0.2.254 dev e2 nexthop via 10.0.1.254 dev e1 weight 3
            ip -6 route add default dev e3 metric 77
            ip route add default via 10.0.4.254 dev e4 table 99
            ip route add 192.0.2.0/24 via 10.0.4.254 dev e4
            """)
        var index: [Int32] = [0]
        for i in 1...4 { index.append(Int32(try await namespace.index(of: "e\(i)"))) }
        let expected = [
            DefaultRoute(family: .ipv4, interface: index[1], metric: 50), DefaultRoute(family: .ipv4, interface: index[1], metric: 100),
            DefaultRoute(family: .ipv4, interface: index[2], metric: 100), DefaultRoute(family: .ipv6, interface: index[3], metric: 77),
        ]
        #expect(try await namespace.withSocket { try $0.defaultRoutes() } == expected)
        #expect(try await namespace.withSocket { try $0.defaultRouteInterfaces() } == Array(index[1...3]))
        try await namespace.sh("ip route flush default; ip -6 route flush default")
        #expect(try await namespace.withSocket { try $0.defaultRoutes() }.isEmpty)
    }

    /// With `nexthop_compat_mode` 0 the route names no interface, only its nexthop object.
    @Test func nexthopObjects() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh(
            """
            echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode
            for i in 1 2; do
                ip link add e$i type veth peer name p$i; ip link set p$i up; ip addr add 10.0.$i.1/24 dev e$i; ip link set e$i up
            done
            ip nexthop add id 1 via 10.0.1.254 dev e1; ip nexthop add id 2 via 10.0.2.254 dev e2; ip nexthop add id 9 group 1/2
            ip route add default nhid 9
            """)
        let expected = [Int32(try await namespace.index(of: "e1")), Int32(try await namespace.index(of: "e2"))].sorted()
        #expect(try await namespace.withSocket { try $0.defaultRouteInterfaces() } == expected)
    }
}
