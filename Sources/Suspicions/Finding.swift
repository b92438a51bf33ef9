import Flows
import NetworkTypes

/// What a detector has found in the second that has passed.
struct Finding {
    var kind: Suspicion.Kind
    var subject: Suspicion.Subject
    var point: ObservationPoint?
    /// When it began, where the detector knows better than the second.
    var start: Timestamp?
    var evidence: [Suspicion.Evidence]
    var contributors: [Suspicion.Contributor] = []
}
