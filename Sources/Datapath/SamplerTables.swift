import CDatapath
import Flows
import Glibc

/// The sampling rules that the programs carry out, by number (`bpf/abi/sample.h`). Which packets a rule applies to is the filter program's
/// business (`PolicyTables`).
///
/// The rules outlive the agent as all maps do. One writer.
public final class SamplerTables {
    /// Numbers that rules can have.
    public static let rules = 1..<Int(NILO_SAMPLERS)
    /// Most bytes of a frame that a sample can carry.
    public static let snapLimit = Int(NILO_SNAP_MOST)

    private let samplers: MappedArray<nilo_sampler>
    private let cpus: Int
    private let jiffy: UInt64

    public init(maps: SharedMaps) throws(BPFError) {
        cpus = Int(maps.config.cpus)
        jiffy = max(maps.config.jiffy_ns, 1)
        samplers = try MappedArray(maps, "nilo_samplers", count: cpus * Int(NILO_SAMPLERS), writable: true)
    }

    /// What the programs are told of a rule.
    public struct Sampler: Hashable, Sendable {
        /// One wire packet in this many is taken at random; 0: none.
        public var oneIn: UInt32
        /// So many first packets of a flow's stay in its slot are taken beside.
        public var firstPackets: UInt32
        /// Packets with any of these are taken beside.
        public var always: TCPFlags
        /// Most bytes of a frame in a sample, 0 … `snapLimit`.
        public var snapLength: Int

        public init(oneIn: UInt32, firstPackets: UInt32 = 0, always: TCPFlags = [], snapLength: Int = 128) {
            self.oneIn = oneIn
            self.firstPackets = firstPackets
            self.always = always
            self.snapLength = snapLength
        }
    }

    /// Puts a rule in the place of whatever had this number: the next packet that it applies to is counted down by it.
    /// - Returns: the epoch that its samples carry; those with another one are of an earlier rule.
    @discardableResult public func install(_ sampler: Sampler, as rule: Int) -> UInt32 {
        let epoch = samplers.base[at(rule, cpu: 0)].epoch &+ 1
        write(sampler, rule, epoch: epoch)
        return epoch
    }

    /// Sets the counters of a number to zero, before a new rule has it: while no port's program knows the number, nobody counts there.
    public func clear(_ rule: Int) {
        for cpu in 0..<cpus {
            let one = samplers.base + at(rule, cpu: cpu)
            (one.pointee.packets, one.pointee.bytes, one.pointee.samples, one.pointee.hits) = (0, 0, 0, 0)
            (one.pointee.taken, one.pointee.lost, one.pointee.lost_hits) = ((0, 0, 0), (0, 0), 0)
        }
    }

    /// Changes the rate alone; it is the same rule still.
    public func setRate(oneIn: UInt32, of rule: Int) {
        var sampler = self[rule]
        sampler.oneIn = oneIn
        write(sampler, rule, epoch: epoch(of: rule))
    }

    /// No packet is taken under this number any more. Its counters stay.
    public func remove(_ rule: Int) { install(Sampler(oneIn: 0, snapLength: 0), as: rule) }

    /// The rule as it was written last, perhaps by an earlier agent; one that takes nothing where there is none.
    public subscript(_ rule: Int) -> Sampler {
        let there = samplers.base[at(rule, cpu: 0)]
        return Sampler(
            oneIn: there.one_in, firstPackets: there.first_packets, always: TCPFlags(rawValue: there.always), snapLength: Int(there.snap))
    }

    // MARK: The agent's own

    /// The number that the agent's own samples carry (`NILO_SAMPLER_FIRST`): no rule has it.
    public static let first = Int(NILO_SAMPLER_FIRST)
    /// Most first packets of a flow that can be sampled so.
    public static let firstLimit = UInt32(NILO_FIRST_MOST)

    /// Samples the first packets of each flow's stay in its slot on all interfaces that were attached with `samplesFirst`, whatever the rules
    /// say.
    /// - Parameters:
    ///   - packets: of each flow, 1 … `firstLimit`.
    ///   - perSecond: samples at most, on each CPU, kept to in tenths of a second.
    public func installFirst(packets: UInt32, snapLength: Int, perSecond: Int) {
        precondition((1...Self.firstLimit).contains(packets) && (1...Self.snapLimit).contains(snapLength) && perSecond > 0)
        var settings = nilo_sampler()
        settings.first_packets = packets
        settings.snap = UInt16(snapLength)
        let window = max(1, 100_000_000 / jiffy)
        settings.window = UInt32(window)
        settings.most = UInt32(clamping: max(1, UInt64(perSecond) * window * jiffy / 1_000_000_000))
        writeFirst(settings)
    }

    public func removeFirst() { writeFirst(nilo_sampler()) }

    private func writeFirst(_ settings: nilo_sampler) {
        var settings = settings
        for cpu in 0..<cpus {
            let sampler = samplers.base + cpu * Int(NILO_SAMPLERS) + Self.first
            settings.epoch = sampler.pointee.epoch &+ 1
            nilo_sampler_write(sampler, &settings)
        }
    }

    public func epoch(of rule: Int) -> UInt32 { samplers.base[at(rule, cpu: 0)].epoch }

    private func at(_ rule: Int, cpu: Int) -> Int {
        precondition(Self.rules.contains(rule), "sampling rule \(rule)")
        return cpu * Int(NILO_SAMPLERS) + rule
    }

    private func write(_ sampler: Sampler, _ rule: Int, epoch: UInt32) {
        precondition((0...Self.snapLimit).contains(sampler.snapLength), "snap length \(sampler.snapLength)")
        var settings = nilo_sampler()
        settings.one_in = sampler.oneIn
        (settings.inverse, settings.shift) = Self.skipFactor(oneIn: sampler.oneIn)
        settings.first_packets = sampler.firstPackets
        settings.always = sampler.always.rawValue
        settings.snap = UInt16(sampler.snapLength)
        settings.epoch = epoch
        for cpu in 0..<cpus { nilo_sampler_write(samplers.base + at(rule, cpu: cpu), &settings) }
    }

    /// What an exponential variable is multiplied with to make it a geometric one: `inverse / 2^shift` is `-1 / ln(1 - 1/oneIn)`, to 32
    /// significant bits; 0 where every packet is taken.
    static func skipFactor(oneIn: UInt32) -> (inverse: UInt32, shift: UInt32) {
        guard oneIn > 1 else { return (0, 0) }
        let factor = -1 / log1p(-1 / Double(oneIn))
        let shift = 31 - factor.exponent
        return (UInt32(clamping: Int64((factor * Double(UInt64(1) << UInt64(shift))).rounded())), UInt32(shift))
    }

    /// What a rule, or `first`, has done, all CPUs together, since the maps were made.
    public func counters(of rule: Int) -> SamplerCounters {
        var sum = SamplerCounters()
        for cpu in 0..<cpus {
            let one = samplers.base[rule == Self.first ? cpu * Int(NILO_SAMPLERS) + rule : at(rule, cpu: cpu)]
            sum.packets += one.packets
            sum.bytes += one.bytes
            sum.samples += one.samples
            sum.hits += one.hits
            sum.random += one.taken.0
            sum.first += one.taken.1
            sum.flags += one.taken.2
            sum.ringFull += one.lost.0
            sum.unreadable += one.lost.1
            sum.lostHits += one.lost_hits
        }
        return sum
    }
}

/// A sampling rule's counters. They only grow.
public struct SamplerCounters: Hashable, Sendable {
    /// Wire packets and bytes that the rule applied to.
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Samples that went to the ring; of these at random, among the first of a flow, for their flags. One sample can count in several.
    public var samples: UInt64 = 0
    public var random: UInt64 = 0
    public var first: UInt64 = 0
    public var flags: UInt64 = 0
    /// Wire packets that chance chose, in samples that went to the ring.
    public var hits: UInt64 = 0
    /// Samples that did not go to the ring: it was full; the packet's bytes could not be copied.
    public var ringFull: UInt64 = 0
    public var unreadable: UInt64 = 0
    /// The hits in those.
    public var lostHits: UInt64 = 0

    public init() {}

    public static func - (a: SamplerCounters, b: SamplerCounters) -> SamplerCounters {
        var difference = SamplerCounters()
        for field in [
            \SamplerCounters.packets, \.bytes, \.samples, \.random, \.first, \.flags, \.hits, \.ringFull, \.unreadable, \.lostHits,
        ] {
            difference[keyPath: field] = a[keyPath: field] - b[keyPath: field]
        }
        return difference
    }
}
