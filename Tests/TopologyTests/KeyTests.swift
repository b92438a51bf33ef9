import NetworkTypes
import TestSupport
import Testing

@testable import Topology

struct KeyTests {
    @Test(arguments: [
        "host/web1", "host/web1/ns/blue", "host/web1/ns/blue/if/eth0", "host/web1/ns/blue/route/main/10.0.0.0/8",
        "host/web1/ns/blue/route/main/10.0.0.0/8/metric/7/sibling/2", "host/web1/ns/blue/route/local/fe80::/128/dev/eth0%2f1",
        "host/web1/ns/blue/route/100/fd00::/8/from/fd01::/16/tos/4/metric/1024", "host/web1/ns/blue/rule/4/100/ab12",
        "host/web1/ns/blue/security", "vni/100", "bridge/web1/init/br0", "vlan/7/web1/init/eth0.7", "link/web1/init/eth0",
        "net/production", "external", "vni/100/ip/10.0.0.1", "external/prefix/192.0.2.0/24", "vni/100/mac/52:54:00:12:34:56",
        "vni/100/service/tcp/5432", "app/postgres", "zone/dmz", "bridge/web1/init/br0/ip/fd00::1",
        "vni/100/ip/10.0.0.1~talks:tcp/5432:postgres~vni/100/ip/10.0.0.2", "vni/100/ip/10.0.0.1~attached~host/a/ns/b/if/c",
        "link/a/b/c/ip/192.0.2.1~tunnel:100~link/a/b/c/ip/192.0.2.2",
    ])
    func textIsReadBack(text: String) {
        #expect(EntityKey(text)?.description == text)
    }

    @Test(arguments: [
        "", "/", "host", "host/", "host/a/", "host/a/ns", "host/a/if/b", "vni", "vni/x", "vni/0100", "vni/100/ip/10.0.0.01", "vni/1/ip",
        "external/prefix/192.0.2.1/24", "a~b~c", "vni/1~veth~", "vni/1~nothing~vni/2", "host/%2", "host/a~b", "vni/1/ip/FD00::1",
        "vni/1~talks~vni/2~", "host/a/ns/b/rule/4/x/1", "host/a/ns/b/rule/4/1/AB",
    ])
    func whatIsNoKeyIsRefused(text: String) {
        #expect(EntityKey(text) == nil)
    }

    @Test func anyNameSurvives() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...90, using: &random)).map { _ in random.pick(Array("ab/~:% \n%é=日".utf8)) }
            let name = KeyText.kept(String(decoding: bytes, as: UTF8.self))
            let key = NodeKey.interface(NamespaceKey(host: name, name: name), name)
            let text = key.description
            #expect(text.utf8.count <= 512)
            #expect(NodeKey(text) == key, "\(name.debugDescription)")
            #expect(KeyText.kept(name) == name)
        }
    }

    @Test func longNamesStayApart() {
        let (a, b) = (String(repeating: "x", count: 200) + "1", String(repeating: "x", count: 200) + "2")
        #expect(KeyText.kept(a) != KeyText.kept(b))
    }

    @Test func ruleTextsDifferWithAnything() {
        var rule = RoutingRule(family: .ipv4, priority: 100, table: 7)
        let before = rule.identity
        rule.mark = 1
        #expect(rule.identity != before)
    }
}
