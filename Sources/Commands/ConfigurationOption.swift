import Configuration
import Glibc

/// `--config FILE`, for commands that read the agent's configuration themselves.
enum ConfigurationOption {
    static let standardPath = "/etc/nilo/agent.yaml"

    static let specification = OptionSpecification(
        "config", short: "c", value: "FILE", help: "the agent's configuration (\(standardPath))")

    /// The file that is named; else the standard one, and the defaults where there is none.
    static func load(_ arguments: ParsedArguments) throws(CommandFailure) -> AgentConfiguration {
        let path = arguments.value("config") ?? standardPath
        if arguments.value("config") == nil, access(path, F_OK) != 0, errno == ENOENT { return AgentConfiguration() }
        do { return try AgentConfiguration.load(path) } catch {
            throw CommandFailure("read \(path)", error.description, code: .usage)
        }
    }
}
