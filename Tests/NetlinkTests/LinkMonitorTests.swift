import Glibc
import TestSupport
import Testing

@testable import Netlink

/// Waits for the monitor's descriptor as epoll would, then drains it until `wanted` holds.
private func changes(
    _ monitor: LinkMonitor, within milliseconds: Int = 2000, until wanted: (LinkMonitor.Changes) -> Bool
) throws -> LinkMonitor.Changes {
    var sum = LinkMonitor.Changes()
    for _ in 0..<Int(Double(milliseconds) / 20 * patience) {
        var watched = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 20) > 0 else { continue }
        let now = try monitor.drain()
        sum.links = sum.links || now.links
        sum.defaultRoutes = sum.defaultRoutes || now.defaultRoutes
        sum.isOverrun = sum.isOverrun || now.isOverrun
        sum.messages += now.messages
        if wanted(sum) { break }
    }
    return sum
}

@Suite struct LinkMonitorTests {
    @Test func linksComeAndGo() async throws {
        try await TestNamespace().run {
            let monitor = try LinkMonitor()
            #expect(try monitor.drain() == LinkMonitor.Changes())
            _ = try sh("ip link add va type veth peer name vb")
            let added = try changes(monitor) { $0.links }
            #expect(added.links && !added.defaultRoutes && !added.isOverrun)
            while try !monitor.drain().isEmpty {}
            _ = try sh("ip link del va")
            #expect(try changes(monitor) { $0.links }.links)
            while try !monitor.drain().isEmpty {}
            #expect(try monitor.drain().messages == 0)
        }
    }

    @Test func onlyDefaultRoutesCount() async throws {
        try await TestNamespace(ipv6: true).run {
            _ = try sh(
                "ip link add va type veth peer name vb; ip addr add 10.0.0.1/24 dev va; ip link set vb up; ip link set va up; sleep 0.2")
            let monitor = try LinkMonitor()
            _ = try sh("ip route add 192.0.2.0/24 via 10.0.0.2; ip route add default via 10.0.0.2 table 7; ip route del 192.0.2.0/24")
            let other = try changes(monitor) { $0.messages >= 3 }
            #expect(other.messages >= 3 && !other.defaultRoutes)
            _ = try sh("ip route add default via 10.0.0.2")
            #expect(try changes(monitor) { $0.defaultRoutes }.defaultRoutes)
            _ = try sh("ip route del default")
            #expect(try changes(monitor) { $0.defaultRoutes }.defaultRoutes)
            _ = try sh("ip -6 route add default dev va metric 5")
            #expect(try changes(monitor) { $0.defaultRoutes }.defaultRoutes)
        }
    }

    @Test func lostMessagesAreTold() async throws {
        try await TestNamespace().run {
            let monitor = try LinkMonitor(receiveBuffer: 32 << 10)
            _ = try sh("ip link add va type veth peer name vb; ip link set va up; ip link set vb up")
            _ = try sh("for mtu in $(seq 1000 1200); do echo link set va mtu $mtu; done | ip -batch -")
            let flood = try changes(monitor) { $0.isOverrun }
            #expect(flood.isOverrun && flood.links && flood.defaultRoutes)
            while try !monitor.drain().isEmpty {}
            _ = try sh("ip link add other type veth peer name another")
            let after = try changes(monitor) { $0.links }
            #expect(after.links && !after.isOverrun)
        }
    }
}
