import NetworkTypes
import Storage
import Topology

/// A network's history and its counters, the same in every run: what the stores are fed.
struct StoreWorkload {
    /// Entities of the network.
    var entities = 10_000
    /// Changes of an epoch after the first, which brings all entities.
    var changes = 10_000
    /// Of a hundred changes, how many bring a state that never was before; the others go back to one of four that the entity had.
    var newStates = 15
    private var seed: UInt64 = 1
    private var variants: [UInt32]
    private var serial: UInt32 = 0

    static let begin: Int64 = 1_760_000_000_000_000_000

    init(entities: Int = 10_000, changes: Int = 10_000, newStates: Int = 15) {
        self.entities = entities
        self.changes = changes
        self.newStates = newStates
        variants = Array(repeating: 0, count: entities)
    }

    private mutating func random() -> UInt64 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return seed >> 33
    }

    static func time(_ epoch: Int) -> Timestamp { Timestamp(nanoseconds: begin + Int64(epoch) * 1_000_000_000) }

    /// Some 45 bytes, as a path names things.
    func key(_ entity: Int) -> String { "host/web\(entity / 500)/ns/tenant-\(entity / 50)/endpoint/10.\(entity / 250).0.\(entity % 250)" }

    /// Some 70 bytes: what the entity is, which compresses, and what nobody could guess.
    private func state(_ entity: Int, _ variant: UInt32) -> [UInt8] {
        var bytes = Array("endpoint\u{0}veth\u{0}up,running\u{0}mtu=1500\u{0}".utf8)
        var mixed = UInt64(entity) &* 0x9e37_79b9_7f4a_7c15
        for _ in 0..<2 {
            withUnsafeBytes(of: mixed) { bytes.append(contentsOf: $0) }
            mixed = (mixed ^ mixed >> 31) &* 0xbf58_476d_1ce4_e5b9
        }
        var detail = (UInt64(variant) &+ 1) &* 0x94d0_49bb_1331_11eb
        detail ^= detail >> 29
        withUnsafeBytes(of: detail) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: "zone=inside,class=\(variant % 4)".utf8)
        return bytes
    }

    /// The epoch of that number, from 1; to be asked for in order.
    mutating func epoch(_ number: Int) -> StoredEpoch {
        var list: [EntityChange] = []
        if number == 1 {
            list = (0..<entities).map { EntityChange(key: key($0), state: state($0, 0)) }
        } else {
            list.reserveCapacity(changes)
            for index in 0..<changes {
                let entity = changes == entities ? index : Int(random() % UInt64(entities))
                let isNew = random() % 100 < UInt64(newStates)
                if isNew { serial += 1 }
                var next = isNew ? 4 + serial : UInt32(random() % 4)
                if next == variants[entity] { next = (next + 1) % 4 }
                variants[entity] = next
                list.append(EntityChange(key: key(entity), state: state(entity, next)))
            }
        }
        return StoredEpoch(number: UInt64(number), time: Self.time(number), changes: list)
    }
}

/// Counters of interfaces, networks and applications as they are met: half of them idle, the others busy by fits and starts, or steady with
/// some noise.
struct SeriesWorkload {
    let keys: [String]
    private var seed: UInt64 = 7

    init(series: Int) { keys = (0..<series).map { "host/web1/ns/tenant-\($0 / 8)/if/veth\($0 / 2)/\($0 % 2 == 0 ? "rx" : "tx")_bytes" } }

    private mutating func random() -> UInt64 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return seed >> 33
    }

    mutating func samples() -> [SeriesSample] {
        keys.indices.map { index in
            let value: UInt64 =
                switch index % 4 {
                case 0, 1: random() % 32 == 0 ? 66 + random() % 1400 : 0
                case 2: random() % 4 == 0 ? 1_000_000 + random() % 4_000_000 : random() % 2_000
                default: 1_200_000 + UInt64(index) * 37 + random() % 120_000
                }
            return SeriesSample(key: keys[index], value: .counter(value))
        }
    }
}
