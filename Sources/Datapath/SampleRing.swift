import CDatapath
import Flows
import Glibc
import NetworkTypes

/// Where the programs leave samples: a ring per CPU in mapped memory. Reading takes no system call and allocates nothing.
///
/// Who waits for samples watches `WakeupRing` (a ring that is a quarter full wakes, at most every ten milliseconds) and a timer. One reader.
public final class SampleRing {
    @usableFromInline let heads: UnsafePointer<nilo_sample_head>
    @usableFromInline let tails: UnsafeMutablePointer<nilo_sample_tail>
    @usableFromInline let rings: UnsafeRawPointer
    /// From one CPU's ring to the next.
    @usableFromInline let stride: Int
    @usableFromInline let mask: UInt64
    @usableFromInline let cpus: Int
    /// How far each CPU had come when a pass began.
    @usableFromInline let ends: UnsafeMutablePointer<UInt64>
    private let mappedHeads: MappedArray<nilo_sample_head>
    private let mappedTails: MappedArray<nilo_sample_tail>
    private let mappedRings: MappedArray<UInt64>

    public init(maps: SharedMaps) throws(BPFError) {
        let config = maps.config
        cpus = Int(config.cpus)
        mask = UInt64(config.sample_mask)
        stride = config.sampleRingBytes
        precondition(stride % 8 == 0)
        ends = .allocate(capacity: cpus)
        mappedHeads = try MappedArray(maps, "nilo_sample_heads", count: cpus)
        mappedTails = try MappedArray(maps, "nilo_sample_tails", count: cpus, writable: true)
        mappedRings = try MappedArray(maps, "nilo_samples", count: cpus * stride / 8)
        heads = UnsafePointer(mappedHeads.base)
        tails = mappedTails.base
        rings = UnsafeRawPointer(mappedRings.base)
    }

    deinit { ends.deallocate() }

    /// Hands over every sample that was there at the call, CPU after CPU, each CPU's in order, and gives their room back.
    ///
    /// The closure is inlined into the loop, so that nothing is paid per sample but its own work. What it is given is memory of the ring,
    /// valid until it returns.
    /// - Returns: how many there were.
    @inlinable @discardableResult public func drain(_ body: (PacketSample) throws -> Void) rethrows -> Int {
        var count = 0
        // All at once: what a CPU leaves while another one's samples are read comes with the next pass, so passes follow each other in time.
        for cpu in 0..<cpus { ends[cpu] = nilo_load_acquire(&UnsafeMutablePointer(mutating: heads)[cpu].written) }
        for cpu in 0..<cpus {
            let ring = rings + cpu * stride
            let head = ends[cpu]
            var at = tails[cpu].taken
            // Room is given back every so often, so that a CPU that goes on writing is not held up by a long pass.
            var release = at &+ (mask &+ 1) / 8
            defer { nilo_store_release(&tails[cpu].taken, at) }
            while at != head {
                let sample = PacketSample(record: ring + Int(at & mask))
                let bytes = sample.recordBytes
                precondition(bytes >= MemoryLayout<nilo_sample>.size && UInt64(bytes) <= head &- at, "a sample of \(bytes) bytes")
                at &+= UInt64(bytes)
                count += 1
                try body(sample)
                if at >= release {
                    nilo_store_release(&tails[cpu].taken, at)
                    release = at &+ (mask &+ 1) / 8
                }
            }
        }
        return count
    }

    /// Bytes that wait in the fullest ring, as a part of its size.
    public var fill: Double {
        (0..<cpus).map { Double(heads[$0].written &- tails[$0].taken) / Double(mask + 1) }.max() ?? 0
    }

    /// First packets of flows that were not sampled because their CPU had its share (`SamplerTables.installFirst`), since the maps were made.
    public var firstPassedOver: UInt64 { (0..<cpus).reduce(0) { $0 &+ heads[$1].first_over } }

    /// Samples lost on all CPUs since the maps were made, modulo 2^32: the ring was full; the packet's bytes could not be copied.
    public var lost: (ringFull: UInt32, unreadable: UInt32) {
        var sum: (ringFull: UInt32, unreadable: UInt32) = (0, 0)
        for cpu in 0..<cpus {
            sum.ringFull &+= heads[cpu].lost.0
            sum.unreadable &+= heads[cpu].lost.1
        }
        return sum
    }
}

/// One sample, in the ring's own memory.
public struct PacketSample {
    @usableFromInline let record: UnsafePointer<nilo_sample>

    /// - Parameter record: a `struct nilo_sample` and the bytes behind it.
    @inlinable public init(record: UnsafeRawPointer) { self.record = record.assumingMemoryBound(to: nilo_sample.self) }

    @inlinable var recordBytes: Int { Int(record.pointee.bytes) }
    /// The whole record, as it can be kept and read again by `init(record:)` where it is aligned to eight bytes.
    @inlinable public var recordMemory: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(record), count: recordBytes)
    }
    /// Number of the sampling rule, or `SamplerTables.first`, and its epoch (`SamplerTables.install`).
    @inlinable public var rule: Int { Int(record.pointee.rule) }
    /// Of a mirror session whose target is user space: its number; such a record is no sample.
    @inlinable public var captureSession: Int? { rule >= 128 ? rule - 128 : nil }
    @inlinable public var epoch: UInt32 { record.pointee.epoch }
    /// Why it was taken.
    @inlinable public var reasons: SampleReasons { SampleReasons(rawValue: record.pointee.reasons & 0x7F) }
    /// Wire packets that chance chose in it, at one in `oneIn`. Estimates use these alone; 0 where chance had no part.
    @inlinable public var hits: UInt32 { record.pointee.hits }
    /// The rate in force when it was taken.
    @inlinable public var oneIn: UInt32 { record.pointee.one_in }
    /// The frames on the wire that this packet was or will be: more than one for a super-packet.
    @inlinable public var wirePackets: UInt32 { record.pointee.wire_packets }
    /// Their bytes: Ethernet frames without FCS.
    @inlinable public var wireBytes: UInt32 { record.pointee.wire_bytes }
    /// Bytes of the packet as the kernel had it.
    @inlinable public var packetBytes: UInt32 { record.pointee.skb_bytes }
    /// Kernel's index, in its namespace, of the interface that the packet was seen on.
    @inlinable public var ifindex: UInt32 { record.pointee.ifindex }
    /// Likewise of the interface by which the packet came into the host; 0: it was sent from here, or the kernel does not remember.
    @inlinable public var ingressIfindex: UInt32 { record.pointee.ingress_ifindex }
    /// CLOCK_MONOTONIC, nanoseconds.
    @inlinable public var monotonicNanoseconds: UInt64 { record.pointee.time_ns }
    /// Wire packets that the rule had applied to on this CPU, this one included.
    @inlinable public var packetsSoFar: UInt64 { record.pointee.packets }
    /// Samples lost on this CPU so far, modulo 2^32: the ring was full; the packet's bytes could not be copied.
    @inlinable public var lostSoFar: (ringFull: UInt32, unreadable: UInt32) { (record.pointee.lost.0, record.pointee.lost.1) }
    /// The outer VLAN tag is in the key alone, not among the bytes.
    @inlinable public var isTagApart: Bool { record.pointee.reasons & 0x80 != 0 }
    /// Flow, interface and direction.
    @inlinable public var key: FlowKey { FlowKey(copying: UnsafeRawPointer(record) + 64) }
    /// The first bytes of the frame.
    @inlinable public var header: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(record + 1), count: Int(record.pointee.snap))
    }
}

/// Why a packet was taken (`enum nilo_sample_reason`).
public struct SampleReasons: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let random = SampleReasons(rawValue: 1)
    /// Among the first packets of its flow.
    public static let first = SampleReasons(rawValue: 2)
    /// For its TCP flags.
    public static let flags = SampleReasons(rawValue: 4)
}
