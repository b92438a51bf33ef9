import Flows
import NetworkTypes
import PathComputation
import Testing
import Topology

@Suite struct ChangeParserTests {
    static let good: [(String, Change)] = [
        ("link down veth3", .setLink(LinkName(name: "veth3"), isUp: false)),
        ("link up r1:veth3", .setLink(LinkName(namespace: "r1", name: "veth3"), isUp: true)),
        ("link set dev veth3 down", .setLink(LinkName(name: "veth3"), isUp: false)),
        ("link set r1:e mtu 1400", .setMTU(LinkName(namespace: "r1", name: "e"), 1400)),
        ("mtu e 9000", .setMTU(LinkName(name: "e"), 9000)),
        ("link set e master br0", .setMaster(LinkName(name: "e"), "br0")),
        ("capacity e 1.5Gbit/s", .setCapacity(LinkName(name: "e"), BitRate(bitsPerSecond: 1.5e9))),
        ("forwarding off in r2", .setForwarding(namespace: "r2", isV4: true, false)),
        ("forwarding on ipv6", .setForwarding(namespace: nil, isV4: false, true)),
        ("remove node r3", .removeNode("r3")),
        ("add address 10.0.0.1/24 dev e", .addAddress(LinkName(name: "e"), AddressText(address: IPAddress("10.0.0.1")!, prefixLength: 24))),
        (
            "del addr 2001:db8::1 dev e",
            .deleteAddress(LinkName(name: "e"), AddressText(address: IPAddress("2001:db8::1")!, prefixLength: 128))
        ),
        ("link capacity e 1gbit", .setCapacity(LinkName(name: "e"), BitRate(bitsPerSecond: 1e9))),
        ("link mtu r1:e 9000", .setMTU(LinkName(namespace: "r1", name: "e"), 9000)),
        ("rate x2", .adjustDemands(DemandSelector(), .scale(2))),
        (
            "rate endpoint=2001:db8::/32 x0.5",
            .adjustDemands(selector { $0.endpoint = IPPrefix("2001:db8::/32") }, .scale(0.5))
        ),
        (
            "rate app=tls where dst net 10.0.0.0/8 and tcp port 443 x3",
            .adjustDemands(
                selector { ($0.application, $0.filter) = ("tls", try! FlowFilter(parsing: "dst net 10.0.0.0/8 and tcp port 443")) },
                .scale(3))
        ),
        ("rate app=postgres x2", .adjustDemands(selector { $0.application = "postgres" }, .scale(2))),
        ("rate network=blue +100Mbit/s", .adjustDemands(selector { $0.network = "blue" }, .add(bitsPerSecond: 1e8))),
        (
            "rate from=10.0.0.0/8 port=postgresql -5kbit",
            .adjustDemands(
                selector { ($0.source, $0.port) = (IPPrefix("10.0.0.0/8"), 5432) }, .add(bitsPerSecond: -5e3))
        ),
        (
            "rate to=10.0.0.1 proto=udp 3Mbit",
            .adjustDemands(
                selector { ($0.destination, $0.transport) = (IPPrefix("10.0.0.1/32"), .udp) }, .set(BitRate(bitsPerSecond: 3e6)))
        ),
        ("add route 10.0.0.0/8 via 10.1.0.1", .addRoute(route("10.0.0.0/8") { $0.ways = [way("10.1.0.1")] })),
        (
            "route add in r1 default via fe80::1 dev e metric 5",
            .addRoute(
                route("::/0") {
                    ($0.namespace, $0.metric, $0.ways) = ("r1", 5, [way("fe80::1", "e")])
                })
        ),
        ("del route blackhole 10.0.0.0/8 table main", .deleteRoute(route("10.0.0.0/8") { ($0.kind, $0.table) = (.blackhole, 254) })),
        (
            "replace route 10.0.0.0/8 src 10.1.0.9 tos 0x10 nexthop via 10.1.0.1 weight 3 nexthop dev r1:e",
            .replaceRoute(
                route("10.0.0.0/8") {
                    ($0.namespace, $0.preferredSource, $0.tos) = ("r1", IPAddress("10.1.0.9"), 16)
                    $0.ways = [way("10.1.0.1", nil, 3), way(nil, "e")]
                })
        ),
        ("add route 10.0.0.0/8 nhid 7 table 100", .addRoute(route("10.0.0.0/8") { ($0.nexthopObject, $0.table) = (7, 100) })),
        (
            "add rule from 10.0.0.0/8 lookup 100",
            .addRule(
                rule(false) {
                    ($0.source, $0.table) = (IPPrefix("10.0.0.0/8"), 100)
                })
        ),
        (
            "rule add in r1 not fwmark 0x10/0xff iif e ipproto tcp dport 80-90 prio 7 goto 20",
            .addRule(
                rule(true, "r1", guessed: true) {
                    ($0.isInverted, $0.mark, $0.markMask, $0.inputInterface) = (true, 16, 255, "e")
                    ($0.transport, $0.destinationPorts, $0.priority, $0.action, $0.target) = (.tcp, 80...90, 7, .goto, 20)
                })
        ),
        (
            "add rule to 2001:db8::/32 lookup main suppress_prefixlength 0 priority 9",
            .addRule(
                rule(true) {
                    ($0.family, $0.destination, $0.table, $0.suppressedLength, $0.priority) = (.ipv6, IPPrefix("2001:db8::/32"), 254, 0, 9)
                })
        ),
        ("del rule priority 9", .deleteRule(rule(true, guessed: true) { $0.priority = 9 })),
    ]

    private static func selector(_ set: (inout DemandSelector) -> Void) -> DemandSelector {
        var selector = DemandSelector()
        set(&selector)
        return selector
    }

    private static func way(_ gateway: String?, _ device: String? = nil, _ weight: UInt16 = 1) -> RouteText.Way {
        RouteText.Way(gateway: gateway.flatMap { IPAddress($0) }, device: device, weight: weight)
    }

    private static func route(_ prefix: String, _ set: (inout RouteText) -> Void) -> RouteText {
        var text = RouteText(destination: IPPrefix(prefix)!)
        set(&text)
        return text
    }

    private static func rule(
        _ hasPriority: Bool, _ node: String? = nil, guessed: Bool = false, _ set: (inout RoutingRule) -> Void
    ) -> RuleText {
        var rule = RoutingRule(family: .ipv4, priority: 0)
        set(&rule)
        return RuleText(namespace: node, rule: rule, hasPriority: hasPriority, familyIsGuessed: guessed)
    }

    @Test(arguments: good.indices) func understood(index: Int) throws {
        let (text, change) = Self.good[index]
        #expect(try ChangeParser.parse(text) == change, "\(text)")
    }

    /// Text, position, part of what is expected, suggestion.
    static let bad: [(String, Int, String, String?)] = [
        ("", 0, "link", nil),
        ("lnik down e", 0, "link", "link"),
        ("link dwon e", 5, "down", "down"),
        ("link down", 9, "an interface", nil),
        ("link down e now", 12, "the end", nil),
        ("link down r1:", 10, "an interface", nil),
        ("link set e mut 5", 11, "mtu", "mtu"),
        ("mtu e 12", 6, "bytes (68 to 65536)", nil),
        ("add route 10.0.0.1/8 via 10.1.0.1", 10, "a prefix without bits", "10.0.0.0/8"),
        ("add route 10.0.0.0/8 va 10.1.0.1", 21, "via", "via"),
        ("add route 10.0.0.0/8 via 10.1.0", 25, "an address", nil),
        ("add rule from 10.0.0.0/8", 24, "table", nil),
        ("add rule from 10.0.0.0/8 to 2001:db8::/32 table 5", 28, "an IPv4 prefix", nil),
        ("add rule tabel 5", 9, "table", "table"),
        ("remove nod r1", 7, "node", "node"),
        ("rate ap=x x2", 5, "app=", "app="),
        ("rate app=x 2", 11, "x and a factor", nil),
        ("rate app=x +100Mb/s", 11, "a rate", nil),
        ("rate app=x", 10, "x and a factor", nil),
        ("rate port=nothing x2", 5, "port= and a port", nil),
        ("rate where x2", 11, "a filter", nil),
        ("rate where interface eth0 x2", 11, "a filter of addresses", nil),
        ("rate where host 10.0.0 x2", 16, "an IPv4 or IPv6 address", nil),
        ("replace rule priority 5", 8, "add", nil),
        ("  link   dwon e", 9, "down", "down"),
    ]

    @Test(arguments: bad.indices) func refused(index: Int) throws {
        let (text, position, expected, suggestion) = Self.bad[index]
        let error = #expect(throws: ChangeSyntaxError.self) { try ChangeParser.parse(text) }
        #expect(error?.position == position, "\(text): \(error.map(String.init(describing:)) ?? "")")
        #expect(error?.expected.contains { $0.contains(expected) } == true, "\(text): \(error.map(String.init(describing:)) ?? "")")
        if suggestion != nil { #expect(error?.suggestion == suggestion, "\(text)") }
    }
}
