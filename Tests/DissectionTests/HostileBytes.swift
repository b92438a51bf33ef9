import Dissection
import TestSupport
import Testing

/// What parsers have to stand: bytes that end anywhere, and bytes that were changed anywhere.
enum HostileBytes {
    /// Every beginning, then thousands of changed and mixed up ones. A parser that reads beyond the end stops the test's process.
    static func feed(_ whole: [UInt8], seed: UInt64 = 1, rounds: Int = 3000, _ parse: (ArraySlice<UInt8>) -> Void) {
        // A slice that does not begin at 0, as parsers get it.
        let room = [0xAA] + whole
        for end in 1...room.count { parse(room[1..<end]) }
        var random = SplitMix64(seed: seed)
        for _ in 0..<rounds {
            var changed = whole
            for _ in 0..<Int.random(in: 1...8, using: &random) where !changed.isEmpty {
                let at = Int.random(in: 0..<changed.count, using: &random)
                switch UInt8.random(in: 0...4, using: &random) {
                case 0: changed[at] = 0xFF
                case 1: changed[at] = 0
                case 2: changed[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
                case 3: changed.remove(at: at)
                default: changed.insert(contentsOf: changed[at...].prefix(9), at: at)
                }
            }
            parse(changed[...])
        }
        for count in [0, 1, 12, 40, 200, 1500] { for _ in 0..<100 { parse(random.bytes(count)[...]) } }
    }
}
