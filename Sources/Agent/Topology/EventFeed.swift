import API
import NetworkTypes
import Reports
import Synchronization
import Topology

/// Tells clients what changes and what moves, as it happens: server-sent events (WHATWG HTML, 9.2).
///
/// Who does not keep up is let go of rather than buffered for, and asks for the whole topology when it comes again.
final class EventFeed: Sendable {
    private struct Follower: Sendable {
        var stream: ControlStream
        var network: NetworkKey?
        var rates: RatesMemory
    }

    /// More changes at once than that are a new topology: clients ask for it as a whole.
    private static let largestEvent = 10_000

    private let followers = Mutex<[Follower]>([])

    /// - Parameter network: only what belongs to it.
    func add(_ stream: ControlStream, network: NetworkKey?) {
        followers.withLock { $0.append(Follower(stream: stream, network: network, rates: RatesMemory(network: network))) }
    }

    /// On the topology's thread, after a commit.
    func tell(_ snapshot: Snapshot, _ loads: TrafficLoads?, before: TopologyThread.Latest) {
        followers.withLock { followers in
            guard !followers.isEmpty else { return }
            let after = TopologyTeller(TopologyThread.Latest(snapshot: snapshot, loads: loads ?? before.loads))
            let difference = snapshot.difference(from: before.snapshot)
            let isTooLarge = difference.changes.count > Self.largestEvent
            let earlier = difference.isEmpty || isTooLarge ? nil : TopologyTeller(before)
            var told: [NetworkKey?: [UInt8]] = [:]
            for index in followers.indices.reversed() {
                let network = followers[index].network
                var text: [UInt8] = []
                if let earlier {
                    let known = told[network] ?? Self.changes(difference, earlier, after, network)
                    told[network] = known
                    text += known
                }
                if loads != nil { text += Self.event("rates", snapshot.epoch, followers[index].rates.event(after)) }
                guard !text.isEmpty || isTooLarge else { continue }
                if isTooLarge || followers[index].stream.write(text) != .accepted {
                    followers[index].stream.finish()
                    followers.remove(at: index)
                }
            }
        }
    }

    /// Empty where nothing of the network changed.
    private static func changes(
        _ difference: SnapshotDifference, _ before: TopologyTeller, _ after: TopologyTeller, _ network: NetworkKey?
    ) -> [UInt8] {
        let list = ChangeList(difference, from: before, to: after, network: network)
        return ChangesEventReport(list, of: after.snapshot).map { event("changes", after.snapshot.epoch, $0) } ?? []
    }

    private static func event(_ name: String, _ epoch: UInt64, _ report: some Encodable) -> [UInt8] {
        // A report of ours is always JSON.
        guard let data = try? ControlRoutes.encoded(report) else { preconditionFailure("\(report)") }
        return Array("event: \(name)\nid: \(epoch)\ndata: ".utf8) + data + Array("\n\n".utf8)
    }
}

extension TopologyTeller {
    /// With what moved in the last second.
    convenience init(_ latest: TopologyThread.Latest) {
        let length = latest.loads.length
        var rates: [NodeKey: InterfaceRates] = [:]
        for (key, load) in latest.loads.interfaces {
            rates[key] = InterfaceRates(
                ingressBits: BitRate(bytes: load.forwardBytes, over: length).bitsPerSecond,
                ingressPackets: PacketRate(packets: load.forwardPackets, over: length).packetsPerSecond,
                egressBits: BitRate(bytes: load.backwardBytes, over: length).bitsPerSecond,
                egressPackets: PacketRate(packets: load.backwardPackets, over: length).packetsPerSecond)
        }
        self.init(latest.snapshot, rates: rates, interval: length)
    }
}
