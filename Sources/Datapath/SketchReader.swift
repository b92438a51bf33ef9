import CDatapath
import Glibc
import NetworkTypes
import Sketches

/// Takes what the programs have sketched of packets without a slot, a bank at a time.
///
/// Owned by one thread: not Sendable. A program that was amid a packet when the bank was changed writes to the old one still; what it writes
/// after the reading is lost from the estimates, and from nothing else.
public final class SketchReader {
    private let banks: MappedArray<nilo_sketch_banks>
    /// By which the programs place what they count.
    public let hash: KeyedHash

    /// nil where the programs do not sketch.
    public init?(maps: SharedMaps) throws(BPFError) {
        guard maps.config.sketches else { return nil }
        hash = KeyedHash(seed: maps.config.hash_seed)
        banks = try MappedArray(maps, "nilo_sketches", count: maps.config.sketchCount, writable: true)
    }

    /// What was sketched since the last call, on all CPUs; nil when every packet had a slot.
    public func take() -> TrafficSketch? {
        var sum: TrafficSketch?
        for cpu in 0..<banks.count {
            let old = Int(banks.base[cpu].in_use & UInt64(NILO_SKETCH_BANKS - 1))
            nilo_store_release(&banks.base[cpu].in_use, UInt64(1 - old))
            let first = UnsafeMutableRawPointer(banks.base + cpu) + MemoryLayout<nilo_sketch_banks>.offset(of: \.banks)!
            let bank = first.assumingMemoryBound(to: nilo_sketch.self) + old
            guard bank.pointee.packets > 0 else { continue }
            let part = TrafficSketch(bank)
            if sum == nil { sum = part } else { sum?.merge(part) }
            memset(bank, 0, MemoryLayout<nilo_sketch>.size)
        }
        return sum
    }
}

extension TrafficSketch {
    fileprivate init(_ bank: UnsafePointer<nilo_sketch>) {
        self.init()
        let memory = UnsafeRawPointer(bank)
        func registers(_ field: PartialKeyPath<nilo_sketch>) -> HyperLogLog {
            let start = memory + MemoryLayout<nilo_sketch>.offset(of: field)!
            return HyperLogLog(Array(UnsafeRawBufferPointer(start: start, count: Self.registers)))
        }
        packets = bank.pointee.packets
        sources = registers(\.sources)
        destinations = registers(\.destinations)
        ports = registers(\.ports)
        let cells = (memory + MemoryLayout<nilo_sketch>.offset(of: \.cells)!).assumingMemoryBound(to: nilo_sketch_cell.self)
        func side(_ side: UInt32) -> HostSketch {
            HostSketch(UnsafeBufferPointer(start: cells + Int(side) * Self.width, count: Self.width).map { HostSketch.Cell($0) })
        }
        bySource = side(NILO_SKETCH_SOURCE.rawValue)
        byDestination = side(NILO_SKETCH_DESTINATION.rawValue)
    }
}

extension HostSketch.Cell {
    fileprivate init(_ cell: nilo_sketch_cell) {
        self.init()
        var cell = cell
        address = withUnsafeBytes(of: &cell.address) { $0.loadUnaligned(as: SIMD2<UInt64>.self) }
        peers = withUnsafeBytes(of: &cell.peers) { $0.loadUnaligned(as: SIMD16<UInt8>.self) }
        ports = withUnsafeBytes(of: &cell.ports) { $0.loadUnaligned(as: SIMD16<UInt8>.self) }
        openings = cell.openings
        interface = cell.if_id
        rank = cell.rank
        isIPv6 = cell.ethertype == EtherType.ipv6.rawValue
        isEgress = UInt32(cell.direction) == NILO_EGRESS.rawValue
    }
}
