import CLinux
import Datapath
import Glibc

/// Reads the programs into the flow table on another CPU, at the agent's pace: once a second, when the kernel says that a log is filling,
/// and every ten milliseconds while logs fill.
///
/// Unchecked: the counts are written by its thread and read after `stop`.
final class DrainingCollector: @unchecked Sendable {
    private(set) var cpuSeconds = 0.0
    private(set) var readings = 0
    private(set) var changed = 0
    private(set) var spilled = 0
    private let collect: () throws -> SlotReader.Pass
    private let logCapacity: Int
    private let ring: WakeupRing
    private let stopping: Int32
    private var thread: PinnedThread?

    init(_ bed: Testbed) throws {
        collect = { try bed.collect() }
        logCapacity = bed.reader.logCapacity
        ring = try WakeupRing(maps: bed.maps)
        stopping = eventfd(0, Int32(EFD_CLOEXEC))
    }

    /// - Parameter collect: one reading; called on the collector's thread alone.
    init(_ datapath: Datapath, collect: @escaping () throws -> SlotReader.Pass) throws {
        self.collect = collect
        logCapacity = datapath.reader.logCapacity
        ring = try WakeupRing(maps: datapath.maps)
        stopping = eventfd(0, Int32(EFD_CLOEXEC))
    }

    deinit { close(stopping) }

    func start(on cpu: Int) throws { thread = try PinnedThread(cpu: cpu) { [unowned self] in try serve() } }

    /// Ends the thread; a last reading is the caller's.
    func stop() throws {
        var one: UInt64 = 1
        guard write(stopping, &one, 8) == 8 else { throw BenchError("stop the collector", errno: errno) }
        try thread?.join()
        thread = nil
    }

    private func serve() throws {
        let start = seconds(CLOCK_THREAD_CPUTIME_ID)
        defer { cpuSeconds += seconds(CLOCK_THREAD_CPUTIME_ID) - start }
        var delay: Int32 = 1000
        while true {
            var watched = [
                pollfd(fd: stopping, events: Int16(POLLIN), revents: 0), pollfd(fd: ring.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&watched, 2, delay)
            if ready < 0 && errno != EINTR { throw BenchError("wait for the event ring", errno: errno) }
            if watched[0].revents != 0 {
                var count: UInt64 = 0
                guard read(stopping, &count, 8) == 8 else { throw BenchError("hear the collector's end", errno: errno) }
                return
            }
            if watched[1].revents != 0 { try ring.drain() }
            let before = wallSeconds()
            let pass = try collect()
            let took = Int32((wallSeconds() - before) * 1000)
            readings += 1
            changed += pass.changed
            spilled += pass.spilled
            delay = pass.spilled > logCapacity / 8 ? max(10, took) : 1000
        }
    }
}
