import Configuration
import Testing

@Suite struct ConfigurationChangeTests {
    @Test func eachKeyIsToldWhereItBelongs() throws {
        let running = try AgentConfiguration.parse(Array("interfaces: [eth0]\nlog: {level: info}\n".utf8), file: "a")
        let text = """
            interfaces: [eth1]
            exclude: [veth*]
            namespaces: [all]
            attach: {mode: clsact, order: first}
            datapath: {flows: 2048, log-records: 512, interfaces: 64, vxlan-ports: [], tcp-analysis: false}
            flows: {limit: 5000, idle-timeout: 5s, active-timeout: 6s, interval: 2s}
            control: {socket: /a, read-socket: /b, group: x, read-group: y}
            metrics: {listen: "off"}
            export: [{collector: "192.0.2.1:4739"}]
            sflow: [{collector: "192.0.2.1:6343"}]
            applications: off
            log: {format: json, level: debug}
            bpffs: /mnt
            topology: {kept: false, nodes: 2048, communications: 2048, idle: 10s, networks: {a: 10.0.0.0/8}, zones: {b: 10.0.0.0/8}}
            history: {file: "off", size: 8Mi, keep: {second: 1m}}
            page: {listen: "off", names: [a], token-file: /t, certificate: /c, key: /k}
            """
        let new = try AgentConfiguration.parse(Array(text.utf8), file: "b")
        let change = ConfigurationChange(from: running, to: new)
        #expect(
            change.atOnce == [
                "interfaces", "exclude", "flows.idle-timeout", "flows.active-timeout", "flows.interval", "export", "sflow", "log.level",
                "topology.networks", "topology.zones",
            ])
        // Every other key of the schema.
        #expect(change.atStart.count == 29 && Set(change.atStart).isDisjoint(with: change.atOnce), "\(change.atStart)")
        #expect(change.result.interfaces == new.interfaces && change.result.export == new.export)
        #expect(change.result.datapath == running.datapath && change.result.flows.limit == running.flows.limit)
        #expect(change.result.log.level == .debug && change.result.log.format == .text)
        // Taken once, what is left is what waits.
        let again = ConfigurationChange(from: change.result, to: new)
        #expect(again.atOnce.isEmpty && again.atStart == change.atStart)
        let none = ConfigurationChange(from: running, to: running)
        #expect(none.atOnce.isEmpty && none.atStart.isEmpty && none.result == running)
    }
}
