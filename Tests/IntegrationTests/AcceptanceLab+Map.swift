/// What the topology of the lab is, by its definition.
extension AcceptanceLab {
    /// - Parameter machine: the host name.
    func map(on machine: String) -> DiscoveredMap {
        var drawing = Drawing(prefix: prefix, machine: machine)
        drawing.wire()
        for host in Self.hosts { drawing.host(host) }
        for endpoint in endpoints { drawing.endpoint(endpoint) }
        for endpoint in gone { drawing.remembered(endpoint) }
        for talk in talks {
            let isClientThere = endpoints.contains { $0.name == talk.client }
            drawing.talk(endpoint(talk.client), endpoint(talk.server), talk.service, isClientThere: isClientThere)
        }
        return drawing.map
    }

    private struct Drawing {
        let prefix: String
        let machine: String
        var map = DiscoveredMap()

        private var underlay: String { "bridge/\(machine)/\(prefix)wire/br-wire" }
        private func namespace(_ name: String) -> String { "host/\(machine)/ns/\(prefix)\(name)" }
        private func interface(_ namespace: String, _ name: String) -> String { "\(self.namespace(namespace))/if/\(name)" }
        private func vtep(_ host: Int) -> String { "\(underlay)/ip/192.0.2.\(host)" }
        private func others(_ host: Int) -> [Int] { AcceptanceLab.hosts.filter { $0 != host } }

        private mutating func link(_ a: String, _ kind: String, _ b: String) { map.links.insert("\(a)~\(kind)~\(b)") }
        private mutating func pair(_ a: String, _ kind: String, _ b: String) { link(min(a, b), kind, max(a, b)) }

        private mutating func device(_ namespace: String, _ name: String, in network: String) {
            map.nodes.insert(interface(namespace, name))
            map.memberships.insert("\(interface(namespace, name)) in \(network)")
        }

        /// An address on eth0, with the route that comes with it.
        private mutating func address(_ address: String, of namespace: String, in network: String) {
            map.nodes.insert("\(network)/ip/\(address)")
            link("\(network)/ip/\(address)", "attached", interface(namespace, "eth0"))
            let subnet = address.split(separator: ".").dropLast().joined(separator: ".") + ".0/24"
            map.nodes.insert("\(self.namespace(namespace))/route/main/\(subnet)")
        }

        mutating func wire() {
            map.nodes.formUnion(["host/\(machine)", namespace("wire"), underlay])
            device("wire", "br-wire", in: underlay)
        }

        mutating func host(_ number: Int) {
            let (name, port) = ("h\(number)", "w\(number)")
            map.nodes.insert(namespace(name))
            device("wire", port, in: underlay)
            device(name, "eth0", in: underlay)
            address("192.0.2.\(number)", of: name, in: underlay)
            pair(interface("wire", port), "veth", interface(name, "eth0"))
            link(interface("wire", port), "port", interface("wire", "br-wire"))
            link(interface("wire", port), "fdb", interface(name, "eth0"))
            for other in others(number) { link(interface(name, "eth0"), "neighbour", vtep(other)) }
            for vni in AcceptanceLab.networks {
                let tunnel = interface(name, "vx\(vni)")
                map.nodes.insert("vni/\(vni)")
                device(name, "br\(vni)", in: "vni/\(vni)")
                device(name, "vx\(vni)", in: "vni/\(vni)")
                link(tunnel, "port", interface(name, "br\(vni)"))
                link(tunnel, "over", interface(name, "eth0"))
                link(tunnel, "vtep:\(vni)", vtep(number))
                for other in others(number) { pair(vtep(number), "tunnel:\(vni)", vtep(other)) }
            }
        }

        mutating func endpoint(_ endpoint: Endpoint) {
            let (host, end) = ("h\(endpoint.host)", interface(endpoint.name, "eth0"))
            let network = "vni/\(endpoint.vni)"
            map.nodes.insert(namespace(endpoint.name))
            device(host, endpoint.port, in: network)
            device(endpoint.name, "eth0", in: network)
            address(endpoint.address, of: endpoint.name, in: network)
            pair(interface(host, endpoint.port), "veth", end)
            link(interface(host, endpoint.port), "port", interface(host, "br\(endpoint.vni)"))
            // Its own bridge has learned it by its port, those of the other hosts through the tunnel.
            link(interface(host, endpoint.port), "fdb", end)
            learned(endpoint, as: end)
            for host in endpoint.left { link(vtep(host), "fdb:\(endpoint.vni)", end) }
        }

        /// Behind that host's VTEP, as all others see it.
        private mutating func learned(_ endpoint: Endpoint, as station: String) {
            link(vtep(endpoint.host), "fdb:\(endpoint.vni)", station)
            for other in others(endpoint.host) { link(interface("h\(other)", "vx\(endpoint.vni)"), "fdb", station) }
        }

        /// Its namespace is still there, and for some minutes what it said, and what others learned: its address is known from whom it asked.
        mutating func remembered(_ endpoint: Endpoint) {
            map.nodes.formUnion([namespace(endpoint.name), "vni/\(endpoint.vni)/ip/\(endpoint.address)"])
            learned(endpoint, as: "vni/\(endpoint.vni)/ip/\(endpoint.address)")
        }

        mutating func talk(_ client: Endpoint, _ server: Endpoint, _ service: String, isClientThere: Bool) {
            let network = "vni/\(client.vni)"
            let (from, to) = ("\(network)/ip/\(client.address)", "\(network)/ip/\(server.address)")
            link(from, "talks:\(service)", to)
            map.nodes.insert("\(network)/service/\(service)")
            link(to, "serves", "\(network)/service/\(service)")
            if isClientThere { link(interface(client.name, "eth0"), "neighbour", to) }
            link(interface(server.name, "eth0"), "neighbour", from)
        }
    }
}
