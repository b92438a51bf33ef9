import Agent

/// The command `nilo` as it is shipped.
public enum NiloCommands {
    /// All verbs, in the order in which help lists them.
    public static let table = CommandTable(
        version: AgentProcess.version,
        commands: [
            TopVerb.command, FlowsVerb.command, InterfacesVerb.command, TopologyVerb.command, ForecastVerb.command, ProfileVerb.command,
            AnomaliesVerb.command,
            StatusVerb.command,
            RuleVerb.mirror, RuleVerb.sample, RuleVerb.shape, CaptureVerb.command, ApplyVerb.plan, ApplyVerb.apply, ApplyVerb.confirm,
            PlanningVerb.command,
            // Here also: doctor and cleanup.
            AgentVerb.command, StopVerb.command,
            DoctorVerb.command, CleanupVerb.command,
        ],
        hidden: [ClassifyVerb.command])
}
