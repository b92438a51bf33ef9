import API
import FoundationEssentials
import Glibc
import Reports

/// How verbs ask the agent: over the socket that was named, or over one of its own two.
public struct AgentConnection: Sendable {
    public static let controlSocket = "/run/nilo/control.sock"
    public static let readSocket = "/run/nilo/read.sock"
    public static let environmentVariable = "NILO_SOCKET"

    /// Common to all verbs that ask the agent.
    public static let option = OptionSpecification("socket", value: "PATH", help: "the agent's socket (\(controlSocket))")

    private let client: ControlClient
    /// Asked instead when the other one is not for us, for what changes nothing.
    private let readClient: ControlClient?

    /// `--socket`, else `NILO_SOCKET`, else the agent's own.
    public init(_ arguments: ParsedArguments, context: CommandContext) {
        let named = arguments.value("socket") ?? context.environment(Self.environmentVariable).flatMap { $0.isEmpty ? nil : $0 }
        self.init(socket: named ?? Self.controlSocket, readSocket: named == nil ? Self.readSocket : nil)
    }

    public init(socket: String, readSocket: String? = nil) {
        client = ControlClient(socket: socket)
        readClient = readSocket.map { ControlClient(socket: $0) }
    }

    /// A question; the answer is one of the `Reports`.
    public func ask<Report: Decodable>(
        _ path: String, _ query: [(String, String)] = [], for what: String, as type: Report.Type = Report.self,
        timeout: Duration = .seconds(10)
    ) throws(CommandFailure) -> Report {
        let bytes: [UInt8]
        do throws(ControlClientError) { bytes = try read(path, query, timeout) } catch { throw Self.failure(what, error) }
        return try Self.decoded(bytes, for: what)
    }

    private func read(_ path: String, _ query: [(String, String)], _ timeout: Duration) throws(ControlClientError) -> [UInt8] {
        do throws(ControlClientError) { return try client.get(path, query: query, timeout: timeout) } catch {
            guard case .notPermitted = error, let readClient else { throw error }
            do throws(ControlClientError) { return try readClient.get(path, query: query, timeout: timeout) } catch let second {
                // That the second one is missing tells less than that the first one is closed to us.
                if case .notRunning = second { throw error }
                throw second
            }
        }
    }

    /// The answer as it came.
    func bytes(_ path: String, _ query: [(String, String)], for what: String, timeout: Duration) throws(CommandFailure) -> [UInt8] {
        do throws(ControlClientError) { return try read(path, query, timeout) } catch { throw Self.failure(what, error) }
    }

    /// Hands over each line of a stream as it comes, until `line` returns false or the agent ends it.
    func events(_ path: String, _ query: [(String, String)], _ line: (String) -> Bool) throws(CommandFailure) {
        do throws(ControlClientError) {
            do throws(ControlClientError) { try client.lines(path, query: query, line) } catch {
                guard case .notPermitted = error, let readClient else { throw error }
                try readClient.lines(path, query: query, line)
            }
        } catch { throw Self.failure("watch", error) }
    }

    /// Changes the policy, or asks what that would do.
    func change(_ change: PolicyChange) throws(CommandFailure) -> PlanReport {
        let what = change.dryRun ? "plan the policy" : "apply the policy"
        do {
            let body = Array(try JSONEncoder().encode(change))
            return try JSONDecoder().decode(
                PlanReport.self, from: Data(try client.post("/v1/policy/apply", body: body, timeout: .seconds(120))))
        } catch let error as ControlClientError {
            // What fails is about the rule, or about the policy with it.
            let about = (change.addRule.map { "add rule \($0)" } ?? change.removeRule.map { "remove rule \($0)" })
            let isOfRule = about.map { "\(error)".hasPrefix($0 + ": ") } ?? false
            throw Self.failure(isOfRule ? about ?? what : what, error)
        } catch {
            throw CommandFailure(
                what, "the agent's answer is not understood: \(error)", hint: "agent and command may be of different versions: nilo status")
        }
    }

    /// Hands over a live capture, as it comes, until `piece` returns false, one of `watched` has something to tell or the agent ends it.
    func capture(
        _ query: [(String, String)], watching watched: [pollfd], _ piece: (UnsafeRawBufferPointer) -> Bool
    ) throws(CommandFailure) {
        do throws(ControlClientError) { try client.stream("/v1/capture", query: query, watching: watched, piece) } catch {
            throw Self.failure("capture", error)
        }
    }

    /// Has something changed; the answer is one of the `Reports`.
    func tell<Report: Decodable>(
        _ path: String, _ query: [(String, String)], for what: String, as type: Report.Type = Report.self
    ) throws(CommandFailure) -> Report {
        let bytes: [UInt8]
        do throws(ControlClientError) { bytes = try client.post(path, query: query) } catch { throw Self.failure(what, error) }
        return try Self.decoded(bytes, for: what)
    }

    private static func decoded<Report: Decodable>(_ bytes: [UInt8], for what: String) throws(CommandFailure) -> Report {
        do { return try JSONDecoder().decode(Report.self, from: Data(bytes)) } catch {
            throw CommandFailure(
                what, "the agent's answer is not understood: \(error)", hint: "agent and command may be of different versions: nilo status")
        }
    }

    /// Keeps a policy that was applied for the time being.
    func confirmPolicy() throws(CommandFailure) {
        do throws(ControlClientError) { _ = try client.post("/v1/policy/confirm") } catch {
            throw Self.failure("confirm the policy", error)
        }
    }

    /// Tells the agent to end and waits until its socket is gone.
    /// - Returns: what it leaves behind.
    @discardableResult
    public func stop(keep: Bool, patience: Duration = .seconds(10)) throws(CommandFailure) -> StopReport {
        let answer: [UInt8]
        do throws(ControlClientError) { answer = try client.post("/v1/stop", query: [("keep", keep ? "1" : "0")]) } catch {
            var failure = Self.failure("stop the agent", error)
            if case .notRunning = error { failure.hint = "there is nothing to stop; what an agent left behind: nilo cleanup --dry-run" }
            throw failure
        }
        let end = ContinuousClock.now + patience
        while answers() {
            guard ContinuousClock.now < end else {
                throw CommandFailure(
                    "stop the agent", "it still answers after \(patience.components.seconds) s", hint: "see its log: journalctl -u nilo")
            }
            usleep(20_000)
        }
        do { return try JSONDecoder().decode(StopReport.self, from: Data(answer)) } catch {
            throw CommandFailure("stop the agent", "it has ended, and its answer is not understood: \(error)")
        }
    }

    /// Whether anything answers on the control socket, in whatever way.
    private func answers() -> Bool {
        do throws(ControlClientError) { _ = try client.get("/v1/status", timeout: .seconds(1)) } catch {
            switch error {
            case .notRunning: return false
            // A connection that breaks off may be one of an agent that is just ending, or of one that is busy: ask again.
            case .transport, .ended, .notPermitted, .timedOut, .refused, .tooLarge: return true
            }
        }
        return true
    }

    static func failure(_ what: String, _ error: ControlClientError) -> CommandFailure {
        var hint = error.hint
        switch error {
        case .notRunning: hint = "start it with: sudo nilo agent"
        case .notPermitted: hint = "run it with sudo, or join the group that owns the socket"
        case .ended(let inAnswer):
            return CommandFailure(
                "the agent ended during the request",
                "\(what): " + (inAnswer ? "its answer breaks off" : "it closed the connection without an answer"),
                hint: hint)
        case .timedOut, .refused, .tooLarge, .transport: break
        }
        // The agent may say by itself what failed.
        let said = "\(error)"
        let why = said.hasPrefix(what + ": ") ? String(said.dropFirst(what.count + 2)) : said
        return CommandFailure(what, why, hint: hint, code: ExitCode(rawValue: error.exitCode) ?? .failed)
    }
}
