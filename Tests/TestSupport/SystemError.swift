import Glibc

/// A system call or command that failed, with what it had to say.
public struct SystemError: Error, CustomStringConvertible {
    /// The call or command.
    public var operation: String
    /// errno, or a command's exit status.
    public var code: Int32
    /// The output of a command, or the text of errno.
    public var detail: String

    /// Takes errno, which must not have been touched since the call failed.
    public init(_ operation: String, errno code: Int32 = errno) {
        self.operation = operation
        self.code = code
        detail = String(cString: strerror(code))
    }

    public init(command: String, status: Int32, output: String) {
        operation = command
        code = status
        detail = output
    }

    public var description: String { "\(operation): \(detail) (\(code))" }
}

/// Passes a non-negative result through and turns -1 into errno's error.
@discardableResult
func checked<T: SignedInteger>(_ result: T, _ operation: @autoclosure () -> String) throws -> T {
    if result < 0 { throw SystemError(operation()) }
    return result
}
