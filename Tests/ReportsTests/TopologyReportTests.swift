import Foundation
import NetworkTypes
import Reports
import Testing
import Topology
import TopologySupport

@Suite struct TopologyReportTests {
    private static let blue = "host/web1/ns/blue/if/eth0"

    private func report(_ snapshot: Snapshot, in place: String? = nil, layer: TopologyLayer? = nil, top: Int = 100) -> TopologyReport {
        let teller = TopologyTeller(snapshot)
        let node = place.map(snapshot.existing)
        return TopologyReport(TopologySelection(teller, in: node, layer: layer, top: top), teller)
    }

    private func map() -> Snapshot {
        var network = SmallNetwork()
        network.talk(bytes: 125_000)
        _ = network.commit()
        network.talk(bytes: 125_000)
        return network.commit()
    }

    @Test func everyEndAndParentIsThere() throws {
        for layer in [nil] + TopologyLayer.allCases {
            for place in [nil, "vni/100", "host/web1/ns/blue"] {
                let told = report(map(), in: place, layer: layer)
                let keys = Set(told.entities.map(\.key))
                #expect(told.links.allSatisfy { keys.contains($0.from) && keys.contains($0.to) }, "\(place ?? "-") \(layer as Any)")
                #expect(told.entities.allSatisfy { $0.parent.map(keys.contains) ?? true })
                #expect(told.links.allSatisfy { layer == nil || $0.layer == layer?.rawValue })
                #expect(told.entities == told.entities.sorted { $0.key < $1.key } && keys.count == told.entities.count)
            }
        }
    }

    @Test func entitiesInTheWordsOfTheContract() throws {
        let entities = Dictionary(uniqueKeysWithValues: report(map()).entities.map { ($0.key, $0) })
        let eth = try #require(entities[Self.blue])
        #expect(eth.kind == "interface" && eth.name == "eth0" && eth.parent == "host/web1/ns/blue" && eth.networks == ["vni/100"])
        #expect(eth.attributes["device"] == .text("veth") && eth.attributes["mtu"] == .number(1500) && eth.filter == "host 10.0.0.11")
        #expect(eth.kernelMade == nil)
        let uplink = try #require(entities["host/web1/ns/init/if/eth0"])
        #expect(uplink.attributes["device"] == .text("physical") && uplink.attributes["speed"] == .number(1e10))
        #expect(uplink.networks == nil && uplink.filter == "interface eth0")
        #expect(entities["host/web1/ns/init"]?.attributes["initial"] == .flag(true))
        #expect(entities["host/web1/ns/init"]?.networks == nil && entities["host/web1/ns/blue"]?.networks == ["vni/100"])
        let endpoint = try #require(entities["vni/100/ip/10.0.0.12"])
        #expect(endpoint.parent == "host/web1/ns/red" && endpoint.networks == ["vni/100"] && endpoint.attributes["local"] == .flag(true))
        let service = try #require(entities["vni/100/service/tcp/5432"])
        #expect(service.parent == endpoint.key && service.attributes["application"] == .text("postgres"))
        #expect(service.filter == "tcp port 5432")
        let route = try #require(entities["host/web1/ns/init/route/main/0.0.0.0/0"])
        #expect(route.name == "default" && route.attributes["via"] == .list(["192.0.2.254 dev eth0"]))
        #expect(route.attributes["origin"] == .text("static"))
        #expect(entities["host/web1/ns/blue/if/lo"]?.kernelMade == true)
    }

    @Test func linksInTheWordsOfTheContract() throws {
        let links = report(map()).links
        #expect(Set(links.map(\.kind)) == ["veth", "port", "stack", "attachment", "vtep", "tunnel", "gateway", "serves", "talk"])
        let talk = try #require(links.first { $0.kind == "talk" })
        #expect(talk.from == "vni/100/ip/10.0.0.11" && talk.to == "vni/100/ip/10.0.0.12" && talk.networks == ["vni/100"])
        #expect(talk.filter == "host 10.0.0.11 and host 10.0.0.12 and tcp port 5432")
        #expect(talk.attributes == ["protocol": .text("tcp"), "port": .number(5432), "application": .text("postgres")])
        #expect(talk.load?.bitsPerSecond == 1e6 && talk.load?.reverseBitsPerSecond == 1e7 && talk.load?.packetsPerSecond == 125)
        #expect(talk.load?.totals?.bytes == 250_000 && talk.load?.roundTripMicroseconds?.p50 == 1024)
        let tunnel = try #require(links.first { $0.kind == "tunnel" })
        #expect(tunnel.attributes["vni"] == .number(100) && tunnel.networks == ["vni/100"])
        #expect(tunnel.filter == "vni 100 and outer host 192.0.2.1 and outer host 192.0.2.2")
        #expect(links.first { $0.kind == "veth" && $0.from.contains("blue") }?.load?.capacityBitsPerSecond == 1e10)
    }

    /// A change that the kernel announces is an epoch of its own, in which nothing is known to have stopped.
    @Test func ratesOutlastAnEpochWithoutTraffic() throws {
        var network = SmallNetwork()
        network.talk(bytes: 125_000)
        _ = network.commit()
        network.talk(bytes: 125_000)
        _ = network.commit()
        network.red(isUp: false)
        let changed = report(network.commit()).links.first { $0.kind == "talk" }
        #expect(changed?.load?.bitsPerSecond == 1e6)
        network.silence()
        let silent = report(network.commit()).links.first { $0.kind == "talk" }
        #expect(silent?.load?.bitsPerSecond == 0 && silent?.load?.totals?.bytes == 250_000)
    }

    @Test func interfacesCarryWhatIsCounted() throws {
        let snapshot = map()
        let key = try #require(NodeKey(Self.blue))
        let rates = InterfaceRates(ingressBits: 8, ingressPackets: 1, egressBits: 80, egressPackets: 2)
        let teller = TopologyTeller(snapshot, rates: [key: rates])
        let links = TopologyReport(TopologySelection(teller, top: 100), teller).links
        // Out of blue's end is towards the other one, whichever comes first in the key.
        let pair = try #require(links.first { $0.kind == "veth" && ($0.from == Self.blue || $0.to == Self.blue) })
        let outward = pair.from == Self.blue ? pair.load?.bitsPerSecond : pair.load?.reverseBitsPerSecond
        #expect(outward == 80 && pair.load?.capacityBitsPerSecond == 1e10)
    }

    @Test func onlyTheBusiestAreTold() throws {
        let none = report(map(), layer: .communication, top: 1)
        #expect(none.omitted == nil && none.links.filter { $0.kind == "talk" }.count == 1)
        let teller = TopologyTeller(map())
        let selection = TopologySelection(teller, top: 0)
        #expect(selection.omitted == 1)
        #expect(TopologyReport(selection, teller).omitted?.links == 1)
    }

    @Test func networks() throws {
        let list = NetworkListReport(TopologyTeller(map()))
        let network = try #require(list.networks.first)
        #expect(list.networks.count == 1 && network.key == "vni/100" && network.kind == "vxlan" && network.vni == 100)
        #expect(network.prefixes == ["10.0.0.0/24"] && network.load?.bitsPerSecond == 1e6 && network.entities > 5 && network.links > 5)
    }

    // MARK: Changes

    private func changes(_ change: (inout SmallNetwork) -> Void) -> [ChangeReport] {
        var network = SmallNetwork()
        let before = TopologyTeller(network.commit())
        change(&network)
        let after = TopologyTeller(network.commit())
        let list = ChangeList(after.snapshot.difference(from: before.snapshot), from: before, to: after)
        return ChangesEventReport(list, of: after.snapshot)?.changes ?? []
    }

    @Test func whatChangedIsTold() throws {
        #expect(changes { _ in }.isEmpty)
        let down = changes { $0.red(isUp: false) }
        let change = try #require(down.first { $0.key == "host/web1/ns/red/if/eth0" })
        #expect(change.change == "changed" && change.name == "red:eth0" && change.subject == "entity")
        #expect(change.attributes == [.init(name: "state", before: .text("up"), after: .text("down"))])
        #expect(change.entity?.attributes["state"] == .text("down"))
        let gone = changes { $0.unplugRed() }
        #expect(gone.contains { $0.change == "vanished" && $0.key == "vni/100/ip/10.0.0.12" && $0.entity?.parent == "host/web1/ns/red" })
        #expect(gone.contains { $0.subject == "link" && $0.kind == "veth" && $0.link != nil })
        #expect(!gone.contains { $0.kind == "member" || $0.kind == "part" })
        // Entities before links: what is joined must be there.
        #expect(gone.firstIndex { $0.subject == "link" }! > gone.lastIndex { $0.subject == "entity" }!)
    }

    @Test func whoLeavesAnInterfaceIsElsewhere() throws {
        let moved = changes { network in
            network.tell(
                [
                    .link(
                        LinkFact(
                            index: 5, name: "v-blue", kind: "veth", mac: MACAddress(rawValue: 0x5254_0000_0005), peer: 2, peerNamespace: 2,
                            speed: 10_000_000_000))
                ], in: "init")
        }
        let blue = try #require(moved.first { $0.key == Self.blue })
        #expect(
            blue.change == "changed"
                && blue.attributes.contains { $0.name == "networks" && $0.before == .list(["vni/100"]) && $0.after == nil })
    }

    @Test func historyFromStates() throws {
        let key = try #require(EntityKey(Self.blue))
        var state = InterfaceState()
        state.kind = "veth"
        var up = state
        up.isUp = true
        up.hasCarrier = true
        let times = (0..<4).map { Timestamp(nanoseconds: Int64($0) * 1_000_000_000) }
        let turns: [TopologyHistoryReport.Turn] = [
            .init(time: times[2], key: key, before: .interface(up), after: nil),
            .init(time: times[0], key: key, before: nil, after: .interface(state)),
            .init(time: times[1], key: key, before: .interface(state), after: .interface(up)),
        ]
        let history = TopologyHistoryReport(from: times[0], to: times[3], turns: turns, matched: 7)
        #expect(history.matched == 7 && history.changes.map(\.change) == ["appeared", "changed", "vanished"])
        #expect(history.changes[1].attributes.map(\.name) == ["state"])
    }

    @Test func aShiftIsMoreThanNoise() throws {
        guard case .link(let key) = try #require(EntityKey("vni/100/ip/10.0.0.11~talks:tcp/5432~vni/100/ip/10.0.0.12")) else { return }
        typealias Level = TopologyDifferenceReport.Shift.Level
        func shift(_ a: [Double], _ b: [Double]) -> Bool {
            TopologyDifferenceReport.Shift(key: key, before: Level(a), after: Level(b)) != nil
        }
        #expect(shift([1e6, 1.1e6, 0.9e6], [5e6, 5.2e6, 4.9e6]))
        #expect(!shift([1e6, 9e6, 2e6], [5e6, 1e6, 8e6]))
        #expect(!shift([1e6, 1e6, 1e6], [1.05e6, 1.05e6, 1.05e6]))
        #expect(!shift([], [500]) && shift([], [5000, 5000]))
    }

    @Test func onlyRatesThatMovedAreToldAgain() throws {
        var network = SmallNetwork()
        network.talk(bytes: 125_000)
        _ = network.commit()
        var memory = RatesMemory()
        func turn(_ bytes: UInt64) -> RatesEventReport {
            if bytes > 0 { network.talk(bytes: bytes) } else { network.silence() }
            return memory.event(TopologyTeller(network.commit()))
        }
        let first = turn(125_000)
        #expect(first.loads.map(\.load.bitsPerSecond) == [1e6] && first.total.bitsPerSecond == 1e6)
        #expect(turn(125_000).loads.isEmpty)
        #expect(turn(250_000).loads.map(\.load.bitsPerSecond) == [2e6])
        #expect(turn(0).loads.map(\.load.bitsPerSecond) == [0])
        #expect(turn(0).loads.isEmpty)
        let text = String(decoding: try JSONEncoder().encode(first.loads[0]), as: UTF8.self)
        #expect(text.contains("\"key\":") && text.contains("\"bitsPerSecond\":1000000"))
        #expect(try JSONDecoder().decode(RatesEventReport.KeyedLoad.self, from: Data(text.utf8)) == first.loads[0])
    }

    // MARK: Questions

    @Test func answers() throws {
        let snapshot = map()
        let teller = TopologyTeller(snapshot)
        let (a, b) = (
            snapshot.existing("vni/100/ip/10.0.0.11"),
            snapshot.existing("vni/100/ip/10.0.0.12")
        )
        let path = TopologyAnswerReport(path: teller, from: a, to: b)
        #expect(path.end?.reason == "arrived" && path.steps?.first?.entity == path.of && path.steps?.last?.entity == path.to)
        let told = Set(path.entities.map(\.key))
        #expect(path.steps?.allSatisfy { told.contains($0.entity) && ($0.route.map(told.contains) ?? true) } == true)
        let talks = TopologyAnswerReport(talks: teller, a, top: 10)
        #expect(talks.matched == 1 && talks.links.first?.kind == "talk" && talks.entities.count == 2)
        let port = snapshot.existing("host/web1/ns/init/if/v-blue")
        #expect(TopologyAnswerReport(behind: teller, port, top: 10).entities.contains { $0.key == Self.blue })
    }

    @Test func comparison() throws {
        let snapshot = map()
        let (a, b) = (
            snapshot.existing("host/web1/ns/blue"),
            snapshot.existing("host/web1/ns/red")
        )
        let same = NetworkComparisonReport(TopologyTeller(snapshot), a, b)
        #expect(same.onlyInA.isEmpty && same.onlyInB.isEmpty && !same.alike.isEmpty)
    }

    @Test func valuesOfAttributesKeepTheirType() throws {
        let all: [String: AttributeValue] = ["a": .text("1"), "b": .number(1), "c": .flag(true), "d": .list(["1"]), "e": .number(1.5)]
        let text = try JSONEncoder().encode(all)
        #expect(try JSONDecoder().decode([String: AttributeValue].self, from: text) == all)
        #expect(AttributeValue.number(1500).description == "1500" && AttributeValue.number(1.5).description == "1.5")
    }
}
