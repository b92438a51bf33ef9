import Glibc
import TestSupport

/// The result of a call that tells failure by a negative number (libbpf: -errno; the C library: -1 and errno).
@discardableResult
func succeeded(_ result: Int32, _ operation: String) throws -> Int32 {
    if result < 0 { throw SystemError(operation, errno: result == -1 ? errno : -result) }
    return result
}
