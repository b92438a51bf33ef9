import Glibc
import Terminal

/// Where a command's output goes, and what surrounds it.
public struct CommandContext: Sendable {
    public var output: TerminalOutput
    /// Takes finished text, for standard output.
    public var write: @Sendable (String) throws -> Void
    /// Takes what is no text, for standard output.
    public var writeBytes: @Sendable ([UInt8]) throws -> Void
    /// Takes finished text, for standard error.
    public var complain: @Sendable (String) -> Void
    /// A variable of the environment; nil when it is not set.
    public var environment: @Sendable (String) -> String?

    public init(
        output: TerminalOutput, write: @escaping @Sendable (String) throws -> Void, complain: @escaping @Sendable (String) -> Void,
        environment: @escaping @Sendable (String) -> String? = { _ in nil },
        writeBytes: @escaping @Sendable ([UInt8]) throws -> Void = { try CommandContext.writeAll($0[...], to: STDOUT_FILENO) }
    ) {
        self.output = output
        self.write = write
        self.writeBytes = writeBytes
        self.complain = complain
        self.environment = environment
    }

    /// This process's own. Ignores SIGPIPE from now on: a reader that has gone (`nilo flows | head`) shows as `OutputClosed`.
    public static func process() -> CommandContext {
        _ = signal(SIGPIPE, SIG_IGN)
        return CommandContext(
            output: .standard(), write: { try writeAll($0, to: STDOUT_FILENO) },
            complain: {
                // There is nowhere left to tell of a standard error that cannot be written to.
                try? writeAll($0, to: STDERR_FILENO)
            }, environment: { getenv($0).map { String(cString: $0) } })
    }

    /// write(2) until all is written.
    public static func writeAll(_ text: String, to descriptor: Int32) throws { try writeAll(Array(text.utf8)[...], to: descriptor) }

    public static func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                rest = rest.dropFirst(written)
                continue
            }
            switch errno {
            case EINTR: continue
            case EPIPE: throw OutputClosed()
            case EAGAIN:
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Glibc.poll(&poll, 1, 1000)
            default: throw CommandFailure("write output", String(cString: strerror(errno)))
            }
        }
    }
}

/// Whoever read our output has had enough: the command ends, and that is fine.
public struct OutputClosed: Error, Hashable, Sendable {
    public init() {}
}
