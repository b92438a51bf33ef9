import Flows
import Sketches

/// Which tuples began in the last seconds, as bits at two places of each one's hash (Bloom, “Space/time trade-offs in hash coding”, 1970). One that
/// is said not to be among them is not; of the others one in fifty may be wrong with 100,000 in a second.
struct RecentTuples {
    private static let bits = 1 << 21
    private var generations: [[UInt64]]
    private let hash: KeyedHash

    init(_ hash: KeyedHash) {
        self.hash = hash
        generations = Array(repeating: Array(repeating: 0, count: Self.bits / 64), count: 3)
    }

    private func places(_ source: (UInt64, UInt64), _ destination: (UInt64, UInt64), _ last: UInt64) -> (Int, Int) {
        let both = hash(hash(source.0, source.1) &+ last, hash(destination.0, destination.1))
        return (Int(both >> 8 & UInt64(Self.bits - 1)), Int(both >> 36 & UInt64(Self.bits - 1)))
    }

    private static func identity(_ tuple: FlowTuple, reversed: Bool) -> UInt64 {
        let (from, to) = reversed ? (tuple.destinationPort, tuple.sourcePort) : (tuple.sourcePort, tuple.destinationPort)
        // An echo's answer differs in its type.
        if tuple.form == .icmp { return UInt64(tuple.protocol.rawValue) << 32 | UInt64(tuple.sourcePort) }
        return UInt64(tuple.protocol.rawValue) << 32 | UInt64(from) << 16 | UInt64(to)
    }

    mutating func add(_ tuple: FlowTuple) {
        guard let source = tuple.source, let destination = tuple.destination else { return }
        let (a, b) = places(source.fieldWords, destination.fieldWords, Self.identity(tuple, reversed: false))
        generations[0][a >> 6] |= 1 << UInt64(a & 63)
        generations[0][b >> 6] |= 1 << UInt64(b & 63)
    }

    /// Whether one began the other way.
    func hasAnswer(to tuple: FlowTuple) -> Bool {
        guard let source = tuple.source, let destination = tuple.destination else { return true }
        let (a, b) = places(destination.fieldWords, source.fieldWords, Self.identity(tuple, reversed: true))
        return generations.contains { $0[a >> 6] >> UInt64(a & 63) & 1 == 1 && $0[b >> 6] >> UInt64(b & 63) & 1 == 1 }
    }

    /// A second has passed.
    mutating func turn() {
        generations.swapAt(1, 2)
        generations.swapAt(0, 1)
        for word in generations[0].indices { generations[0][word] = 0 }
    }
}
