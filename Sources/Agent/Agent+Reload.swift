import Configuration
import Logging

/// A configuration that is read anew while the agent runs (SIGHUP).
extension Agent {
    /// Takes what can change at once, and says what waits for the next start. One that cannot be read or is wrong changes nothing.
    func reload(_ read: () throws -> AgentConfiguration) throws {
        let change: ConfigurationChange
        do { change = ConfigurationChange(from: configuration, to: try read()) } catch {
            log.error("configuration not taken; the one in effect stays", ["reason": LogValue("\(error)")])
            audit?.record("reload", by: .agent("SIGHUP"), result: .failed("\(error)"))
            return
        }
        try take(change)
        note("reload", by: .agent("SIGHUP"), ["changed": LogValue(change.atOnce.joined(separator: ", "))])
        log.info(
            "configuration read anew",
            ["changed": LogValue(change.atOnce.isEmpty ? "nothing" : change.atOnce.joined(separator: ", "))])
        if !change.atStart.isEmpty {
            log.warning("takes effect at the next start", ["keys": LogValue(change.atStart.joined(separator: ", "))])
        }
    }
}

extension AgentConfiguration.LogLevel {
    var logged: LogLevel { LogLevel.allCases.first { $0.name == rawValue } ?? .info }
}
