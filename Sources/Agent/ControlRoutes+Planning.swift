extension ControlRoutes {
    /// What planning does, as a `PlanningReport`.
    static func planning(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let top = try query.number("top", in: 0...500, standard: 10)
        return { try json($0.planning.report(at: .now, changes: top)) }
    }
}
