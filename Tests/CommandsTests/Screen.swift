import Commands
import Synchronization
import Terminal

/// A context that keeps what is written.
final class Screen: Sendable {
    let out = Mutex("")
    let err = Mutex("")

    /// - Parameters:
    ///   - width: columns of what is not a terminal; 0: no bound.
    ///   - closesAfter: texts after which the reader leaves.
    func context(width: Int = 0, closesAfter: Int = .max, environment: [String: String] = [:]) -> CommandContext {
        let count = Mutex(0)
        return CommandContext(
            output: TerminalOutput(isTerminal: false, width: width, color: false),
            write: { text in
                let isClosed = count.withLock { count in
                    count += 1
                    return count > closesAfter
                }
                if isClosed { throw OutputClosed() }
                self.out.withLock { $0 += text }
            }, complain: { text in self.err.withLock { $0 += text } }, environment: { environment[$0] })
    }
    var written: String { out.withLock { $0 } }
    var complaints: String { err.withLock { $0 } }
}
