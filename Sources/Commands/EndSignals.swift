import Glibc
import Synchronization

/// Signals that ask a long-running verb to end: they wake a pipe that the verb waits for beside its work.
enum EndSignals {
    private static let pending = Atomic<Int32>(0)
    private static let descriptor = Atomic<Int32>(-1)

    /// The one that came; 0: none.
    static var received: Int32 { pending.load(ordering: .acquiring) }

    /// From now on the signals do no more than that, also those that whoever started the process had it ignore. Calls that wait are
    /// interrupted.
    /// - Parameter pipe: woken by a signal; must live as long as the process.
    static func install(_ pipe: WakePipe, _ numbers: [Int32]) {
        pending.store(0, ordering: .releasing)
        descriptor.store(pipe.writing, ordering: .releasing)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            EndSignals.pending.store(number, ordering: .releasing)
            var byte: UInt8 = 1
            let code = errno
            _ = write(EndSignals.descriptor.load(ordering: .acquiring), &byte, 1)
            errno = code
        }
        for number in numbers { _ = sigaction(number, &action, nil) }
    }
}
