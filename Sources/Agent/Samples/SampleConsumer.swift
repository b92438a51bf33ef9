import Configuration
import Datapath
import Flows
import Glibc
import Logging
import NetworkTypes
import Reports
import SFlow

/// The one reader of the ring of samples: hands each to the sFlow collectors, each capture to whoever writes it. On the agent's thread.
///
/// While a sampling rule or a capture is in force it looks every 20 ms, for applications alone every 100 ms, and when the ring says that it
/// is filling; else never.
final class SampleConsumer {
    let captures: Captures
    private let ring: SampleRing
    private let keeper: PolicyKeeper
    private let datapath: Datapath
    private let follower: InterfaceFollower
    private let log: Log
    private var timer: LoopTimer!
    private var hasChanged = true
    private var isNeeded = false
    /// Nobody but `applications` needs it, who has time.
    private var isLeisurely = false
    private(set) var collectors: [SFlowTarget] = []
    private var indices = SFlowIndices()
    /// For each collector the interfaces that it wants.
    private var wanted: [Set<InterfaceID>] = []
    /// Estimated packets that could have been sampled, by interface.
    private var pools: [InterfaceID: UInt64] = [:]
    private var cost = SampleCost()
    private var passes = 0
    /// Handed over since the start; captures are not among the samples.
    private(set) var samples: UInt64 = 0
    private(set) var captured: UInt64 = 0
    /// Since the maps were made, modulo 2^32.
    var lost: UInt32 { ring.lost.ringFull &+ ring.lost.unreadable }
    /// Why samples do not get to collectors; nil: they do, as far as one can know.
    var collectorProblem: String? {
        let bad = collectors.compactMap { one in one.report.problem.map { "collector \(one.configuration.collector): \($0)" } }
        return bad.isEmpty ? nil : bad.joined(separator: "; ")
    }
    /// Who takes the agent's own samples; nil: nobody.
    var applications: ApplicationKeeper? {
        didSet {
            hasChanged = true
            timer.fire(after: .zero)
        }
    }
    /// Sessions of clients that have ended.
    var onEnd: (String, CaptureQueue.Progress) -> Void = { _, _ in }

    private static let period = Duration.milliseconds(20)
    /// A ring that is filling says so meanwhile.
    private static let leisurelyPeriod = Duration.milliseconds(100)
    /// sFlow wants samples within a second (section 5.1); a tenth keeps datagrams from being nearly empty.
    private static let passesPerFlush = 5
    private static let passesPerLook = 25

    init(_ loop: EventLoop, _ keeper: PolicyKeeper, _ datapath: Datapath, _ follower: InterfaceFollower, _ log: Log) throws {
        ring = try SampleRing(maps: datapath.maps)
        captures = Captures(keeper, datapath, follower, log)
        self.keeper = keeper
        self.datapath = datapath
        self.follower = follower
        self.log = log
        // What waits is of an earlier agent's rules, and its readers are gone.
        ring.drain { _ in }
        timer = try loop.timer { [unowned self] in pass() }
        keeper.onChange = { [unowned self] in
            hasChanged = true
            captures.isChanging = true
            timer.fire(after: .zero)
        }
        timer.fire(after: .zero)
    }

    /// The ring is filling.
    func wake() { if isNeeded { drain() } }

    private func pass() {
        if hasChanged {
            hasChanged = false
            // What waits belongs to those who were there before the change.
            drain()
            captures.refresh()
            let hasReaders = !captures.isEmpty || keeper.book.tenants.keys.contains { $0.kind == .sampler }
            isNeeded = hasReaders || applications != nil
            isLeisurely = !hasReaders
            if !isNeeded { cost = SampleCost() }
        }
        guard isNeeded else { return }
        drain()
        passes &+= 1
        captures.handOver()
        let isTime = passes % Self.passesPerFlush == 0
        for collector in collectors { collector.flush(onlyFull: !isTime) }
        if isTime {
            keeper.samples.control(keeper.policy, now: .now)
        }
        if passes % Self.passesPerLook == 0 { for (name, progress) in captures.endOver() { onEnd(name, progress) } }
        timer.fire(after: isLeisurely ? Self.leisurelyPeriod : Self.period)
    }

    private func drain() {
        let before = SampleCost.processorTime()
        var taken = (samples: UInt64(0), captures: UInt64(0), firsts: UInt64(0))
        let drops = lost
        ring.drain { sample in
            if let session = sample.captureSession {
                captures.add(sample, session: session)
                taken.captures &+= 1
            } else if sample.rule == SamplerTables.first {
                applications?.offer(sample)
                taken.firsts &+= 1
            } else {
                taken.samples &+= 1
                // A sample that chance had no part in is not told: collectors would multiply it.
                if sample.hits > 0, !collectors.isEmpty { export(sample, drops: drops) }
            }
        }
        samples &+= taken.samples
        captured &+= taken.captures
        if taken.firsts > 0 { applications?.flush() }
        let all = taken.samples + taken.captures + taken.firsts
        guard all > 0 else { return }
        cost.add(seconds: SampleCost.processorTime() - before, samples: all)
        if let seconds = cost.secondsPerSample { keeper.samples.secondsPerSample = seconds }
    }

    // MARK: sFlow

    private func export(_ sample: PacketSample, drops: UInt32) {
        let id = sample.key.interface
        let pool = pools[id, default: 0] &+ UInt64(sample.hits) &* UInt64(sample.oneIn)
        pools[id] = pool
        guard let flow = indices.sample(sample, drops: drops, pool: pool) else { return }
        for (place, collector) in collectors.enumerated() where wanted[place].contains(id) { collector.add(flow, header: sample.header) }
    }

    /// A collector keeps its session and its numbers as long as it is the same.
    func setCollectors(_ configurations: [AgentConfiguration.SFlow]) {
        var before = collectors
        collectors = configurations.map { one in
            if let place = before.firstIndex(where: { $0.configuration == one }) { return before.remove(at: place) }
            return SFlowTarget(one, log: log)
        }
        for gone in before { gone.flush() }
        describe()
    }

    /// Connections, counters, complaints. Once a second.
    func turn() {
        captures.complain()
        guard !collectors.isEmpty else { return }
        let now = ContinuousClock.now
        for collector in collectors { collector.turn(now: now) }
        describe()
        let due = collectors.filter { $0.takesCounters(now: now) }
        if !due.isEmpty { sendCounters(to: due) }
    }

    private func describe() {
        guard !collectors.isEmpty else { return }
        let ids = Set(datapath.interfaces.map(\.id))
        if ids != Set(indices.entries.keys) {
            indices = SFlowIndices(datapath, follower)
            pools = pools.filter { ids.contains($0.key) }
        }
        wanted = collectors.map { collector in Set(indices.entries.filter { collector.wants($0.value.name) }.keys) }
    }

    private func sendCounters(to due: [SFlowTarget]) {
        for followed in follower.namespaces.values {
            do {
                for link in try followed.socket.links() {
                    guard let id = followed.attached[link.index], let entry = indices.entries[id] else { continue }
                    for collector in due where collector.wants(entry.name) {
                        collector.add(InterfaceCounterSample(link, index: entry.index))
                    }
                }
            } catch {
                log.warning("sFlow counters not read", ["reason": LogValue("\(error)")])
            }
        }
        for collector in due { collector.flush() }
    }

    /// At the agent's end: what is there still goes out.
    func finish() {
        drain()
        for collector in collectors { collector.flush() }
        captures.finish()
    }
}

/// What handling a sample takes of a CPU, over the last few thousand.
struct SampleCost {
    private var seconds = 0.0
    private var samples = 0.0
    private static let memory = 4096.0

    /// Seconds; nil while too few are known.
    var secondsPerSample: Double? { samples >= 64 ? seconds / samples : nil }

    mutating func add(seconds: Double, samples: UInt64) {
        self.seconds += seconds
        self.samples += Double(samples)
        if self.samples > Self.memory {
            self.seconds *= Self.memory / self.samples
            self.samples = Self.memory
        }
    }

    /// Of this thread.
    static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
