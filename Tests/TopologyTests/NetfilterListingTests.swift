import Testing
import Topology

@Suite struct NetfilterListingTests {
    @Test func listing() {
        #expect(NetfilterRules(chains: [], generation: 1).listing == "")
        let rules = NetfilterRules(
            chains: [
                NetfilterChain(
                    family: .inet, table: "filter", name: "input", hook: .init(name: "input", priority: 0, accepts: false), rules: 2,
                    text: "tcp dport 22 accept\ndrop"),
                NetfilterChain(family: .inet, table: "filter", name: "mine"),
                NetfilterChain(
                    family: .netdev, table: "edge", name: "in", hook: .init(name: "ingress", priority: -500, devices: ["eth0", "eth1"]),
                    rules: 1),
            ], generation: 2)
        #expect(
            rules.listing == """
                table inet filter {
                \tchain input {  # rules: 2
                \t\ttype filter hook input priority 0; policy drop;
                \t\ttcp dport 22 accept
                \t\tdrop
                \t}
                \tchain mine {  # rules: 0
                \t}
                }
                table netdev edge {
                \tchain in {  # rules: 1
                \t\ttype filter hook ingress devices { eth0, eth1 } priority -500; policy accept;
                \t}
                }

                """)
    }
}
