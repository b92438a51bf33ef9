import PathComputation
import TestSupport
import Testing

@testable import Netlink

/// What decides about forwarding, against the sysctls that it was set by.
@Suite struct NamespaceSettingsTests {
    @Test func settingsAreTheSysctls() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            FactDumpTests.pairs(3)
                + """
                cd /proc/sys/net
                echo 1 > ipv4/ip_forward; echo 0 > ipv4/conf/e2/forwarding
                echo 0 > ipv4/conf/all/rp_filter; echo 1 > ipv4/conf/e1/rp_filter; echo 2 > ipv4/conf/e2/rp_filter; echo 0 > ipv4/conf/e3/rp_filter
                echo 1 > ipv4/conf/e3/ignore_routes_with_linkdown; echo 1 > ipv6/conf/e1/ignore_routes_with_linkdown
                """)
        func read() async throws -> NamespaceSettings {
            try await namespace.withSocket { socket in
                try socket.namespaceSettings(names: Dictionary(uniqueKeysWithValues: socket.links().map { ($0.index, $0.name) }))
            }
        }
        var settings = try await read()
        #expect(settings.forwardsIPv4 && !settings.forwardsIPv6)
        #expect(
            Set(settings.interfaces.keys).subtracting(TestSupport.NetworkNamespace.fallbackTunnels) == [
                "lo", "e1", "e2", "e3", "p1", "p2", "p3",
            ])
        #expect(
            settings.interfaces["e1"]
                == NamespaceSettings.Interface(forwardsIPv4: true, ignoresIPv6RoutesWithLinkDown: true, reversePathFilter: 1))
        #expect(settings.interfaces["e2"] == NamespaceSettings.Interface(forwardsIPv4: false, reversePathFilter: 2))
        #expect(
            settings.interfaces["e3"]
                == NamespaceSettings.Interface(forwardsIPv4: true, ignoresIPv4RoutesWithLinkDown: true, reversePathFilter: 0))
        // What is set for all counts for each.
        try await namespace.sh(
            """
            cd /proc/sys/net
            echo 1 > ipv4/conf/all/rp_filter; echo 1 > ipv6/conf/all/forwarding; echo 1 > ipv4/conf/all/ignore_routes_with_linkdown
            """)
        settings = try await read()
        #expect(settings.forwardsIPv6)
        #expect(settings.interfaces["e1"]?.reversePathFilter == 1 && settings.interfaces["e2"]?.reversePathFilter == 2)
        #expect(settings.interfaces["e3"]?.reversePathFilter == 1)
        #expect(settings.interfaces.values.filter { !$0.ignoresIPv4RoutesWithLinkDown } == [])
    }

    @Test func changesAreAnnounced() async throws {
        try await TestNamespace(ipv6: true).run {
            let monitor = try NamespaceSettingsMonitor()
            #expect(try !monitor.drain())
            let settings = [
                "ipv4/ip_forward", "ipv4/conf/lo/rp_filter", "ipv6/conf/all/forwarding", "ipv6/conf/lo/ignore_routes_with_linkdown",
            ]
            for setting in settings {
                // The other value of those that have two, and of rp_filter another one.
                try sh("cd /proc/sys/net; echo $((1 - ($(cat \(setting)) != 0))) > \(setting)")
                #expect(try monitor.drain(), "\(setting)")
                #expect(try !monitor.drain())
            }
        }
    }
}
