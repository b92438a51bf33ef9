import NetworkTypes
import TestSupport
import Testing

@testable import Netlink

private let vlanFiltering = Requirement.device("bridges that filter VLANs", "x type bridge vlan_filtering 1")

/// What the kinds of links tell of themselves.
@Suite struct LinkKindTests {
    private func links(_ command: String) async throws -> [String: LinkObservation] {
        let namespace = try await TestNamespace()
        try await namespace.sh(command)
        return Dictionary(uniqueKeysWithValues: try await namespace.withSocket { try $0.links() }.map { ($0.name, $0) })
    }

    @Test(.requires(.vlanDevices)) func vlan() async throws {
        let links = try await links(
            """
            ip link add e1 type veth peer name p1; ip link add link e1 name e1.5 type vlan id 5
            ip link add link e1 name s6 type vlan id 4094 protocol 802.1ad
            """)
        #expect(links["e1.5"]?.vlan?.id == 5 && links["e1.5"]?.vlan?.tag.rawValue == 0x8100 && links["e1.5"]?.peer == links["e1"]?.index)
        #expect(links["s6"]?.vlan?.id == 4094 && links["s6"]?.vlan?.tag.rawValue == 0x88A8)
        #expect(links["e1"]?.vlan == nil)
    }

    @Test(.requires(.bond)) func bond() async throws {
        let links = try await links(
            """
            ip link add e1 type veth peer name p1; ip link add e2 type veth peer name p2; ip link set p1 up; ip link set p2 up
            ip link add bo type bond mode active-backup miimon 100; ip link set e1 master bo; ip link set e2 master bo; ip link set bo up
            until ip -d link show bo | grep -q 'active_slave e'; do sleep 0.05; done
            """)
        let bond = try #require(links["bo"]?.bond)
        let ports = [links["e1"], links["e2"]].compactMap { $0 }
        #expect(bond.mode == 1 && ports.allSatisfy { $0.portKind == "bond" && $0.master == links["bo"]?.index })
        #expect(ports.filter { $0.isActivePort == true }.map(\.index) == [try #require(bond.activePort)])
        #expect(ports.filter { $0.isActivePort == false }.count == 1)
    }

    @Test(.requires(.vrf)) func vrf() async throws {
        let links = try await links("ip link add red type vrf table 1042; ip link add e1 type veth peer name p1; ip link set e1 master red")
        #expect(links["red"]?.vrfTable == 1042 && links["e1"]?.master == links["red"]?.index && links["e1"]?.portKind == "vrf")
    }

    @Test(.requires(.bridge)) func bridge() async throws {
        let links = try await links(
            "ip link add br0 type bridge ageing_time 4200; ip link add e1 type veth peer name p1; ip link set e1 master br0")
        #expect(links["br0"]?.bridge?.isVLANAware == false && links["br0"]?.bridge?.ageing == 42)
        #expect(links["e1"]?.portKind == "bridge" && links["e1"]?.isActivePort == nil && links["p1"]?.portKind == "")
    }

    @Test(.requires(vlanFiltering)) func bridgesThatFilterVLANs() async throws {
        #expect(try await links("ip link add br0 type bridge vlan_filtering 1")["br0"]?.bridge?.isVLANAware == true)
    }

    @Test(.requires(.gre)) func greTunnels() async throws {
        let links = try await links(
            """
            ip link add g1 type gre local 192.0.2.1 remote 192.0.2.2 okey 77 ikey 78; ip link add g2 type gretap remote 192.0.2.3 local 192.0.2.1
            ip link add g3 type gretap external
            """)
        let keyed = try #require(links["g1"]?.tunnel)
        #expect(keyed.local == .v4(0xC000_0201) && keyed.remote == .v4(0xC000_0202) && keyed.key == 77 && keyed.underlay == nil)
        #expect(links["g1"]?.isLayer3 == true && links["g2"]?.isLayer3 == false)
        #expect(links["g2"]?.tunnel?.remote == .v4(0xC000_0203) && links["g2"]?.tunnel?.key == nil)
        #expect(links["g3"]?.tunnel?.isMetadataDriven == true && links["lo"]?.tunnel == nil)
    }

    @Test(.requires(.geneve)) func geneveTunnels() async throws {
        let links = try await links(
            "ip link add n1 type geneve id 900 remote 192.0.2.2; ip link add n2 type geneve id 5 remote 2001:db8::2")
        #expect(links["n1"]?.tunnel?.key == 900 && links["n1"]?.tunnel?.remote == .v4(0xC000_0202))
        #expect(links["n2"]?.tunnel?.remote == IPAddress("2001:db8::2"))
    }

    @Test(.requires(.ipip)) func ipInIPTunnels() async throws {
        let tunnel = try await links("ip link add i1 type ipip local 192.0.2.1 remote 192.0.2.2 dev lo")["i1"]?.tunnel
        #expect(tunnel?.local == .v4(0xC000_0201) && tunnel?.remote == .v4(0xC000_0202) && tunnel?.underlay == 1 && tunnel?.key == nil)
    }

    @Test func operationalStates() async throws {
        let links = try await links(
            """
            ip link add e1 type veth peer name p1; ip link set e1 up
            until ip link show e1 | grep -q 'state LOWERLAYERDOWN'; do sleep 0.01; done
            """)
        #expect(links["lo"]?.operationalState == 0 && links["p1"]?.operationalState == 2 && links["e1"]?.operationalState == 3)
        #expect(links.values.allSatisfy { $0.parentDevice.isEmpty })
    }

    /// Veth says 10 Gbit/s and means nothing by it.
    @Test(.requires(.bridge)) func madeUpSpeedsAreUnknown() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip link add e1 type veth peer name p1; ip link add br0 type bridge; ip link set e1 up; ip link set p1 up")
        #expect(try await namespace.sh("ethtool e1").contains("Speed: 10000Mb/s"))
        let speeds = try await namespace.run { try NetlinkSocket.generic().linkSpeeds(of: NetlinkSocket().links()) }
        #expect(speeds == [:])
        // What the answer looks like is seen by passing the pair off as hardware.
        let told = try await namespace.run {
            let hardware = try NetlinkSocket().links().map {
                var link = $0
                link.kind = ""
                return link
            }
            return try NetlinkSocket.generic().linkSpeeds(of: hardware)
        }
        let indices = [Int32(try await namespace.index(of: "e1")), Int32(try await namespace.index(of: "p1"))]
        #expect(told == Dictionary(uniqueKeysWithValues: indices.map { ($0, 10_000_000_000) }))
    }
}
