import Dispatch
import Synchronization

/// Who writes captured packets. All but `init` is called on the thread of its queue.
protocol CaptureOutput: AnyObject {
    /// Packets that were written and that could not be.
    var written: UInt64 { get }
    var lost: UInt64 { get }
    /// Why it does not write; nil: it does.
    var problem: String? { get }
    /// Nobody takes any more.
    var isOver: Bool { get }
    func take(_ batch: CaptureBatch)
    /// Hands over what is kept back.
    func flush()
    func finish()
}

/// Carries captured packets to a thread that writes them: the agent's loop waits for no disk and no client.
final class CaptureQueue: Sendable {
    struct Progress: Sendable {
        var written: UInt64 = 0
        var lost: UInt64 = 0
        var problem: String?
        var isOver = false
    }

    private struct State {
        var batches: [CaptureBatch] = []
        var bytes = 0
        var isEnding = false
        var progress = Progress()
        /// Turned away since the last batch, and in all.
        var turnedAway: UInt64 = 0
        var turnedAwayTotal: UInt64 = 0
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    /// Bytes of records that may wait.
    static let bound = 8 << 20

    private init() {}

    /// nil when no thread can be started.
    static func start(_ make: @escaping @Sendable () -> any CaptureOutput) -> CaptureQueue? {
        let queue = CaptureQueue()
        return DetachedThread.start { queue.run(make()) } ? queue : nil
    }

    var progress: Progress {
        state.withLock { state in
            var progress = state.progress
            progress.lost += state.turnedAwayTotal
            return progress
        }
    }

    /// What finds no room is lost, and told with the next batch that does.
    func add(_ batch: CaptureBatch) {
        state.withLock { state in
            var batch = batch
            guard state.bytes + batch.bytes <= Self.bound else {
                state.turnedAway += batch.packets + batch.lost
                state.turnedAwayTotal += batch.packets
                guard !batch.interfaces.isEmpty else { return }
                // These are told once only.
                var described = CaptureBatch()
                described.interfaces = batch.interfaces
                return state.batches.append(described)
            }
            batch.lost += state.turnedAway
            state.turnedAway = 0
            state.bytes += batch.bytes
            state.batches.append(batch)
        }
        wake.signal()
    }

    /// Writes what is there and ends.
    /// - Parameter patience: how long to wait for that.
    func end(_ patience: DispatchTimeInterval = .seconds(0)) {
        state.withLock { $0.isEnding = true }
        wake.signal()
        _ = ended.wait(timeout: .now() + patience)
    }

    private func run(_ output: any CaptureOutput) {
        while true {
            _ = wake.wait(timeout: .now() + .seconds(1))
            let (batches, isEnding) = state.withLock { state in
                defer { state.batches = [] }
                return (state.batches, state.isEnding)
            }
            for batch in batches {
                output.take(batch)
                state.withLock { $0.bytes -= batch.bytes }
            }
            output.flush()
            if isEnding { output.finish() }
            state.withLock {
                $0.progress = Progress(written: output.written, lost: output.lost, problem: output.problem, isOver: output.isOver)
            }
            if isEnding { break }
        }
        ended.signal()
    }
}
