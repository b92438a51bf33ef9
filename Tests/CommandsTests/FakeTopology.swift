import API
import Foundation
import NetworkTypes
import Reports
import Topology
import TopologySupport

/// Canned changes of a topology: a difference, and a stream of events that ends.
enum FakeTopology {
    static func answer(_ request: ControlRequest) throws -> ControlResponse {
        var network = SmallNetwork()
        let before = TopologyTeller(network.commit())
        network.red(isUp: false)
        let after = TopologyTeller(network.commit())
        let list = ChangeList(after.snapshot.difference(from: before.snapshot), from: before, to: after)
        guard request.path == "/v1/events" else {
            let report = TopologyDifferenceReport(from: before.snapshot.time, to: after.snapshot.time, changes: list)
            return ControlResponse(body: Array(try JSONEncoder().encode(report)))
        }
        guard let event = ChangesEventReport(list, of: after.snapshot) else { throw CocoaError(.coderInvalidValue) }
        var memory = RatesMemory()
        let text =
            "id: 2\nevent: changes\ndata: \(String(decoding: try JSONEncoder().encode(event), as: UTF8.self))\n\n"
            + "id: 2\nevent: rates\ndata: \(String(decoding: try JSONEncoder().encode(memory.event(after)), as: UTF8.self))\n\n"
        return ControlResponse(contentType: "text/event-stream") { stream in
            _ = stream.write(Array(text.utf8))
            stream.finish()
        }
    }
}
