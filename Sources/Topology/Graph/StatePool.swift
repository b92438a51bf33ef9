/// Encoded states, each kept once however many entities have it: a million links that carry nothing but their key share one state.
struct StatePool: Sendable {
    private var bytes = Chunked<[UInt8]>()
    private var holders = Chunked<UInt32>()
    private var index = HashIndex()
    private var free: [UInt32] = []

    subscript(number: UInt32) -> [UInt8] { bytes[Int(number)] }

    /// The state's number, held once more.
    mutating func hold(_ state: [UInt8]) -> UInt32 {
        let hash = Self.hash(state)
        if let known = index.find(hash, where: { bytes[Int($0)] == state }) {
            holders[Int(known)] += 1
            return known
        }
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            bytes[Int(number)] = state
            holders[Int(number)] = 1
        } else {
            number = UInt32(bytes.count)
            bytes.append(state)
            holders.append(1)
        }
        index.insert(hash, number)
        return number
    }

    mutating func release(_ number: UInt32) {
        holders[Int(number)] -= 1
        guard holders[Int(number)] == 0 else { return }
        index.remove(Self.hash(bytes[Int(number)]), number)
        bytes[Int(number)] = []
        free.append(number)
    }

    private static func hash(_ state: [UInt8]) -> UInt32 { HashIndex.folded(Int(truncatingIfNeeded: fnv(state))) }
}

/// FNV-1a (Fowler, Noll and Vo), 64 bits: the same on every machine and in every run.
func fnv(_ bytes: some Sequence<UInt8>, seed: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
    var hash = seed
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
}
