import Glibc

/// How many times longer than on a machine of its own everything may take: the environment variable NILO_PATIENCE, 1 without it.
///
/// Every limit in time that a test sets is stretched by it, so that the suites also run in an emulated machine, where a fork costs 45 ms.
/// It bears on how long a test waits for what has to happen, never on what has to happen.
public let patience: Double = {
    guard let text = getenv("NILO_PATIENCE").map({ String(cString: $0) }) else { return 1 }
    guard let factor = Double(text), factor >= 1, factor <= 1000 else {
        fatalError("NILO_PATIENCE: a number from 1 to 1000, not “\(text)”")
    }
    return factor
}()

extension Duration {
    /// As long as that is on this machine; see ``patience``.
    public var stretched: Duration { self * patience }
}
