/// Lets at most `burst` lines of one message through in each window, and counts the rest. Pure: the time is a parameter.
struct RateLimit {
    enum Verdict: Equatable {
        /// Write it, and say that so many before it were left out.
        case pass(suppressed: Int)
        case suppress
    }

    private struct Window {
        var start: Int64
        var passed: Int
        var suppressed: Int
    }

    var burst: Int
    /// Nanoseconds.
    var window: Int64
    /// Messages told apart; more share one count.
    var maximumKeys = 1024
    private var windows: [String: Window] = [:]

    init(burst: Int, window: Int64) {
        self.burst = burst
        self.window = window
    }

    mutating func admit(_ key: String, at time: Int64) -> Verdict {
        // Messages are fixed phrases; should one be made up as it goes, memory stays bounded all the same.
        let key = windows[key] == nil && windows.count >= maximumKeys ? "" : key
        var current = windows[key] ?? Window(start: time, passed: 0, suppressed: 0)
        // A clock that was set back starts a window too.
        if time - current.start >= window || time < current.start {
            let suppressed = current.suppressed
            windows[key] = Window(start: time, passed: 1, suppressed: 0)
            return .pass(suppressed: suppressed)
        }
        if current.passed < burst {
            current.passed += 1
            windows[key] = current
            return .pass(suppressed: 0)
        }
        current.suppressed += 1
        windows[key] = current
        return .suppress
    }

    /// What was left out and not yet said, by message, in a fixed order; forgotten after.
    mutating func takeSuppressed() -> [(key: String, count: Int)] {
        let owed = windows.filter { $0.value.suppressed > 0 }.map { (key: $0.key, count: $0.value.suppressed) }.sorted { $0.key < $1.key }
        for (key, _) in owed { windows[key]?.suppressed = 0 }
        return owed
    }
}
