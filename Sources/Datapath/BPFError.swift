import Glibc

/// A bpf(2) operation that failed.
public struct BPFError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, with its object: `"attach nilo_ingress to eth0"`.
    public var operation: String
    /// errno of the failed call.
    public var code: Int32
    /// The kernel's own words: the verifier's last lines, or empty.
    public var detail: String

    public init(_ operation: String, code: Int32, detail: String = "") {
        self.operation = operation
        self.code = code
        self.detail = detail
    }

    public var description: String {
        "\(operation): \(String(cString: strerror(code)))" + (detail.isEmpty ? "" : "\n\(detail)")
    }
}

/// libbpf's convention: a negative result is -errno.
@discardableResult func check(_ result: Int32, _ operation: @autoclosure () -> String) throws(BPFError) -> Int32 {
    if result < 0 { throw BPFError(operation(), code: -result) }
    return result
}
