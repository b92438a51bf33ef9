import CSystemd
import Glibc

/// What a service tells systemd (sd_notify(3)). Without a NOTIFY_SOCKET, started by hand, it goes nowhere.
public enum ServiceNotification: Sendable, Equatable {
    case ready
    /// One line for `systemctl status`.
    case status(String)
    case stopping
    /// Still alive: more often than ``watchdogInterval``.
    case watchdog

    /// Whether there was anyone to tell. Throws the errno of a socket that is there and does not take it.
    @discardableResult
    public func send() throws(PrivilegesError) -> Bool {
        let result = sd_notify(0, text)
        if result < 0 { throw .system(operation: "notify systemd", code: -result) }
        return result > 0
    }

    var text: String {
        switch self {
        case .ready: "READY=1"
        // A newline would begin another assignment.
        case .status(let line): "STATUS=" + String(String.UnicodeScalarView(line.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
        case .stopping: "STOPPING=1"
        case .watchdog: "WATCHDOG=1"
        }
    }

    /// How long systemd waits for ``watchdog`` before it kills; nil when it does not. Send at half of it.
    public static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        return sd_watchdog_enabled(0, &microseconds) > 0 ? .microseconds(microseconds) : nil
    }
}
