import Foundation
import Logging
import Testing

/// A log to a file without a name.
enum SaidLog {
    /// A log, and what it said so far.
    static func make() throws -> (Log, () throws -> [Substring]) {
        let path = NSTemporaryDirectory() + "nilo-log-\(UUID().uuidString.prefix(8))"
        let fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        try #require(fd >= 0)
        unlink(path)
        let log = Log(level: .info, fd: fd)
        return (
            log,
            {
                var bytes = [UInt8](repeating: 0, count: 1 << 16)
                let count = pread(fd, &bytes, bytes.count, 0)
                return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n")
            }
        )
    }
}
