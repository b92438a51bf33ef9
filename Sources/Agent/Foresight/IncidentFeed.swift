import API
import Foresight
import NetworkTypes
import Reports
import Synchronization

/// What became of an incident.
struct IncidentEvent: Sendable {
    enum Kind: String, Sendable { case began, changed, ended }

    var kind: Kind
    var incident: Incident

    var report: IncidentEventReport { IncidentEventReport(event: kind.rawValue, incident: IncidentReport(incident)) }
}

/// Tells clients of incidents as they happen, a line of JSON each. Who does not keep up is let go of.
final class IncidentFeed: Sendable {
    private let followers = Mutex<[ControlStream]>([])

    func add(_ stream: ControlStream) { followers.withLock { $0.append(stream) } }

    func tell(_ event: IncidentEvent) {
        followers.withLock { followers in
            guard !followers.isEmpty else { return }
            // A report of ours is always JSON.
            guard let line = try? ControlRoutes.encoded(event.report) else { preconditionFailure("\(event)") }
            followers.removeAll { stream in
                guard stream.write(line + [0x0a]) != .accepted else { return false }
                stream.finish()
                return true
            }
        }
    }
}
