import Glibc

struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
    init(_ operation: String, errno code: Int32) { description = "\(operation): \(String(cString: strerror(code)))" }
}

/// The convention of the C functions beside: a negative result is -errno.
@discardableResult func checked(_ result: Int32, _ operation: String) throws -> Int32 {
    if result < 0 { throw BenchError(operation, errno: -result) }
    return result
}
