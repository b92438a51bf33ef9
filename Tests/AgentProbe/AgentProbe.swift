// The agent as a process of its own, with nothing between it and its configuration: IntegrationTests starts it.
import Agent
import Configuration
import Glibc

@main struct AgentProbe {
    static func main() {
        if CommandLine.arguments.dropFirst().first == ClassifierChild.verb {
            do { return try ClassifierChild.run(Array(CommandLine.arguments.dropFirst(2))) } catch { end("agent-probe: \(error)", 1) }
        }
        guard CommandLine.arguments.count == 2 else { end("usage: agent-probe CONFIG.yaml", 2) }
        do {
            let read = { try AgentConfiguration.load(CommandLine.arguments[1]) }
            try AgentProcess.run(read(), reread: read)
        } catch let error as AgentFailure {
            end("agent-probe: \(error)", error.kind == .permission ? 3 : 1)
        } catch {
            end("agent-probe: \(error)", 1)
        }
    }

    private static func end(_ text: String, _ status: Int32) -> Never {
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
        exit(status)
    }
}
