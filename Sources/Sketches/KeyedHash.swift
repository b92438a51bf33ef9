/// The hash by which sketches place what they count, the same as the datapath's (`nilo_sketch_hash`).
///
/// The seed and the multipliers made of it are secret, so that a sender cannot choose what meets in a cell. Sketches can be merged when they
/// are of one seed.
public struct KeyedHash: Sendable, Hashable {
    private let seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    @inlinable public func callAsFunction(_ a: UInt64, _ b: UInt64 = 0) -> UInt64 { spread(a, b) }

    @usableFromInline func spread(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var h = ((a &+ seed) &* (seed | 1)) ^ ((b ^ seed) &* (seed >> 17 | 0x8000_0000_0000_0001))
        h ^= h >> 32
        h &*= 0x9e37_79b9_7f4a_7c15
        return h ^ h >> 32
    }
}
