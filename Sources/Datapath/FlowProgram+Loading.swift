import Glibc
import Synchronization

extension FlowProgram {
    /// Loads several instances, on as many threads as CPUs are online.
    static func load(_ count: Int, maps: SharedMaps) throws(BPFError) -> [FlowProgram] {
        let work = Loading(count, maps)
        let context = Unmanaged.passUnretained(work).toOpaque()
        var threads: [pthread_t] = []
        // Signals go to the thread that the agent waits for them on.
        var (all, before) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        for _ in 1..<max(1, min(count, onlineCPUs)) {
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { context in
                    Unmanaged<Loading>.fromOpaque(context!).takeUnretainedValue().run()
                    return nil
                }, context)
            // Then the others do it all.
            if code != 0 { break }
            threads.append(thread)
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        work.run()
        for thread in threads { pthread_join(thread, nil) }
        return try withExtendedLifetime(work) { () throws(BPFError) in try work.loaded() }
    }

    private static var onlineCPUs: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

    /// Instances to load, one after the other by whoever is free.
    private final class Loading: @unchecked Sendable {
        // An instance is used by the thread that loads it, and by one thread after all are loaded.
        private struct State: @unchecked Sendable {
            var left: Int
            var programs: [FlowProgram] = []
            var failure: BPFError?
        }

        private let maps: SharedMaps
        private let state: Mutex<State>

        init(_ count: Int, _ maps: SharedMaps) {
            self.maps = maps
            state = Mutex(State(left: count))
        }

        func run() {
            while state.withLock({ state in
                guard state.left > 0, state.failure == nil else { return false }
                state.left -= 1
                return true
            }) {
                do throws(BPFError) {
                    nonisolated(unsafe) let program = try FlowProgram(maps: maps)
                    state.withLock { $0.programs.append(program) }
                } catch {
                    state.withLock { $0.failure = $0.failure ?? error }
                }
            }
        }

        func loaded() throws(BPFError) -> [FlowProgram] {
            let result = state.withLock { $0 }
            if let failure = result.failure { throw failure }
            return result.programs
        }
    }
}
