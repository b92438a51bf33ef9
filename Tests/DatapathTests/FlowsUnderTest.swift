import CDatapath
import CLibBPF
import Glibc
import TestSupport

@testable import Datapath

/// Loaded programs and what they have counted.
final class FlowsUnderTest: @unchecked Sendable {
    // Unchecked: set up on one thread, then the descriptors alone are used.
    private static let geometry = TableGeometry(flows: 65536, logRecordsPerCPU: 1024, ledgers: 16, ghosts: 1024)
    let maps: SharedMaps
    let program: FlowProgram
    private var links: [Int32] = []

    /// - Parameter maps: those of another instance, or new ones.
    init(_ maps: SharedMaps? = nil) throws {
        self.maps = try maps ?? SharedMaps(geometry: Self.geometry, seed: 42)
        program = try FlowProgram(maps: self.maps)
    }

    /// Attaches a program, for as long as this value or the namespace lives.
    func attach(
        to interface: String, in namespace: NetworkNamespace, id: UInt32, direction: nilo_direction, mode: AttachMode
    ) async throws {
        let link: Int32? = try await namespace.run { [self] in
            let index = try interfaceIndex(interface)
            try program.setPort(nilo_port(ifindex: index, if_id: id, ledger: id, flags: 0))
            let ingress = direction.rawValue == NILO_INGRESS.rawValue
            let descriptor = ingress ? program.ingress : program.egress
            if mode == .clsact {
                _ = try ClsactFilter.addQdisc(ifindex: index)
                try ClsactFilter(ifindex: index, direction: ingress ? .ingress : .egress, priority: 1).attach(program: descriptor)
                return nil
            }
            // BPF_TCX_INGRESS and BPF_TCX_EGRESS are newer than Debian 12's headers.
            let link = bpf_link_create(descriptor, Int32(index), bpf_attach_type(rawValue: ingress ? 46 : 47), nil)
            if link < 0 { throw SystemError("attach to \(interface)", errno: -link) }
            return link
        }
        if let link { links.append(link) }
    }

    deinit { for link in links { close(link) } }

    /// The slots in use, on all CPUs.
    func slots() throws -> [nilo_flow_slot] {
        let count = Int(maps.config.cpus) * Int(maps.config.sets_mask + 1) * Int(NILO_WAYS)
        let size = count * MemoryLayout<nilo_flow_slot>.stride
        guard let memory = mmap(nil, size, PROT_READ, MAP_SHARED, maps.descriptor("nilo_slots"), 0), memory != MAP_FAILED else {
            throw SystemError("mmap nilo_slots")
        }
        defer { munmap(memory, size) }
        return UnsafeBufferPointer(start: memory.assumingMemoryBound(to: nilo_flow_slot.self), count: count).filter { $0.skbs > 0 }
    }

    /// The slots of all CPUs added up, by the bytes of their keys.
    func flows() throws -> [[UInt8]: FlowFacts] {
        var flows: [[UInt8]: FlowFacts] = [:]
        for slot in try slots() {
            let key = withUnsafeBytes(of: slot.key) { Array($0) }
            flows[key, default: FlowFacts()].add(FlowFacts(slot))
        }
        return flows
    }
}

/// What is counted of a flow and does not depend on the order of its packets.
struct FlowFacts: Equatable {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0
    var wirePackets: UInt64 = 0
    var wireBytes: UInt64 = 0
    var congestionMarks: UInt32 = 0
    var smallest = UInt32.max
    var largest: UInt32 = 0
    var tcpFlags: UInt16 = 0
    var ecn: UInt8 = 0
    var leastTimeToLive = UInt8.max
    var mostTimeToLive: UInt8 = 0

    init() {}

    init(_ slot: nilo_flow_slot) {
        (packets, bytes) = (slot.skbs, slot.skb_bytes)
        (wirePackets, wireBytes) = (slot.wire_packets, slot.wire_bytes)
        congestionMarks = slot.ce_packets
        (smallest, largest) = (slot.min_bytes, slot.max_bytes)
        (tcpFlags, ecn) = (slot.tcp_flags, slot.ecn)
        (leastTimeToLive, mostTimeToLive) = (slot.ttl_min, slot.ttl_max)
    }

    /// One packet, or a super-packet of `segments`, the last of them smaller, each with `size` bytes of payload.
    init(_ frame: ParsedFrame, segments: Int = 1, size: Int = 0) {
        packets = 1
        bytes = UInt64(frame.length)
        wirePackets = UInt64(segments)
        wireBytes = UInt64(frame.wireBytes(segments: segments))
        largest = UInt32(segments > 1 ? frame.headerLength + size : frame.length)
        smallest = UInt32(segments > 1 ? frame.length - (segments - 1) * size : frame.length)
        tcpFlags = frame.tcp?.flags.rawValue ?? 0
        // What is not IP has no such fields; they are then 0.
        let network = frame.network ?? .init(dscp: 0, ecn: 0, timeToLive: 0)
        ecn = 1 << network.ecn
        congestionMarks = network.ecn == 3 ? UInt32(segments) : 0
        (leastTimeToLive, mostTimeToLive) = (network.timeToLive, network.timeToLive)
    }

    mutating func add(_ other: FlowFacts) {
        packets += other.packets
        bytes += other.bytes
        wirePackets += other.wirePackets
        wireBytes += other.wireBytes
        congestionMarks += other.congestionMarks
        smallest = min(smallest, other.smallest)
        largest = max(largest, other.largest)
        tcpFlags |= other.tcpFlags
        ecn |= other.ecn
        leastTimeToLive = min(leastTimeToLive, other.leastTimeToLive)
        mostTimeToLive = max(mostTimeToLive, other.mostTimeToLive)
    }
}
