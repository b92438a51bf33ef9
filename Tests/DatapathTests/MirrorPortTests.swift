import TestSupport
import Testing

import struct Netlink.MirrorPortDevice
import class Netlink.NetlinkSocket

/// The mirror port's devices: made once, found again, taken away without a trace.
@Suite(.requires(.root, .clsact)) struct MirrorPortTests {
    @Test func itIsMadeOnceFoundAgainAndRemoved() async throws {
        let host = try await NetworkNamespace(ipv6: true)
        let before = try await host.sh("ip -o link; ip -o addr")
        let (first, second, found) = try await host.run {
            let socket = try NetlinkSocket()
            return (try socket.makeMirrorPort(), try socket.makeMirrorPort(), try NetlinkSocket().mirrorPort())
        }
        #expect(first == second && found == first)
        let text = try await host.sh("ip -d link show nilo-m0; ip -o addr show dev nilo-m0; ethtool -k nilo-m0 | grep ^tx-checksumming")
        #expect(text.contains("alias nilometer mirror port") && text.contains("mtu 65535") && text.contains("NOARP"))
        #expect(text.contains("gso_max_segs 1 ") && text.contains("tx-checksumming: off") && !text.contains("inet6"), "\(text)")
        try await host.run { try NetlinkSocket().removeMirrorPort() }
        #expect(try await host.sh("ip -o link; ip -o addr") == before)
        #expect(try await host.run { try NetlinkSocket().mirrorPort() } == nil)
    }

    @Test func devicesOfOthersStay() async throws {
        let host = try await NetworkNamespace()
        for foreign in [
            "ip link add nilo-m0 type veth peer name other; ip link set nilo-m0 up",
            "ip link add nilo-m0 type veth peer name other; ip addr add 192.0.2.1/24 dev other; ip link set other up",
            "ip link add nilo-m0 type veth peer name nilo-m1",
            "ip link add nilo-m0 type veth peer name nilo-m1; ip addr add 192.0.2.1/24 dev nilo-m0; ip link set nilo-m0 up",
            "ip link add nilo-m0 mtu 65535 type veth peer name other; ip link set nilo-m0 alias 'nilometer mirror port'",
        ] {
            try await host.sh(foreign)
            let before = try await host.sh("ip -o link | cut -d: -f2; ip -o -4 addr")
            await #expect(throws: (any Error).self, "\(foreign)") { try await host.run { _ = try NetlinkSocket().makeMirrorPort() } }
            try await host.run { try NetlinkSocket().removeMirrorPort() }
            #expect(try await host.sh("ip -o link | cut -d: -f2; ip -o -4 addr") == before, "\(foreign)")
            try await host.sh("ip link del nilo-m0")
        }
    }

    /// An agent was killed before it had marked both ends.
    @Test(arguments: ["", "nilo-m1"]) func oneThatIsHalfMadeIsMadeAnew(marked: String) async throws {
        let host = try await NetworkNamespace()
        try await host.sh("ip link add nilo-m0 mtu 65535 gso_max_segs 1 gso_max_size 512 type veth peer name nilo-m1 mtu 65535")
        if !marked.isEmpty { try await host.sh("ip link set \(marked) alias 'nilometer mirror port'") }
        try await host.run { _ = try NetlinkSocket().makeMirrorPort() }
        #expect(try await host.sh("ip -d link show nilo-m0").contains("alias nilometer mirror port"))
        try await host.run { try NetlinkSocket().removeMirrorPort() }
        #expect(try await !host.sh("ip -o link").contains("nilo-m"))
    }

    @Test func routesAreLookedUp() async throws {
        let pair = try await Pair()
        try await pair.a.sh("ip route add 198.51.100.0/24 via 10.0.0.2 mtu 1300; ip route add unreachable 203.0.113.0/24")
        let index = Int32(try await pair.a.index(of: "va"))
        let (far, near, none, unknown) = try await pair.a.run {
            let socket = try NetlinkSocket()
            return (
                try socket.route(to: .v4(0xC633_6401)), try socket.route(to: .v4(0x0A00_0002)), try socket.route(to: .v4(0xCB00_7101)),
                try socket.route(to: .v4(0x0808_0808))
            )
        }
        #expect(far?.interface == index && far?.gateway == .v4(0x0A00_0002) && far?.source == .v4(0x0A00_0001) && far?.mtu == 1300)
        #expect(near?.interface == index && near?.gateway == nil && near?.mtu == 1500 && near?.interfaceIsUp == true)
        #expect(none == nil && unknown == nil)
    }
}
