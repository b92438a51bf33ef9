import Flows
import Reports

/// What the live view asks the agent for.
struct TopQuestion: Hashable, Sendable {
    var filter = FlowFilter.everything
    var order = FlowOrder(.rate)
    /// Flows.
    var count = 20
    /// The rules of the policy are asked for too.
    var wantsRules = false
}

/// What came of asking.
struct TopAnswer: Sendable {
    var question: TopQuestion
    /// Asked on the beat of the clock, not because the question changed: a point of the history.
    var isOnBeat = true
    var outcome: Outcome

    enum Outcome: Sendable {
        /// - rules: where they were asked for.
        case reports(InterfaceListReport, FlowListReport, rules: PolicyReport?)
        /// The agent does not answer, or not with what was asked for: why.
        case failed(String)
    }
}
