/// tc's words for qdiscs that can be put back (tc-pfifo(8), tc-tbf(8), tc-fq_codel(8), tc-fq(8)).
extension QdiscRecipe {
    /// What follows `tc qdisc add dev NAME root handle HANDLE`: `"tbf rate 12500000bps burst 65536b limit 690536b"`.
    public var arguments: String {
        let words: [String] =
            switch kind {
            case "pfifo": word(options, at: 0).map { ["limit \($0)"] } ?? []
            case "bfifo": word(options, at: 0).map { ["limit \($0)b"] } ?? []
            case "tbf": tokenBucket
            case "fq_codel": fairQueueCoDel
            case "fq": fairQueue
            default: []
            }
        return ([kind] + words).joined(separator: " ")
    }

    /// `struct tc_tbf_qopt`; times in ticks of 64 ns, rates in bytes per second, of which attributes of their own have all 64 bits.
    private var tokenBucket: [String] {
        let attributes = attributes
        guard let parameters = attributes[1], let limit = word(parameters, at: 24), let buffer = word(parameters, at: 28),
            let largest = word(parameters, at: 32)
        else { return [] }
        func rate(_ offset: Int, _ wide: UInt16) -> Double {
            attributes[wide].flatMap { long($0) }.map { Double($0) } ?? word(parameters, at: offset).map { Double($0) } ?? 0
        }
        func bytes(_ ticks: UInt32, _ rate: Double) -> UInt64 { UInt64((Double(ticks) * 64 * rate / 1e9).rounded()) }
        let (sustained, peak) = (rate(8, 4), rate(20, 5))
        var words = ["rate \(UInt64(sustained))bps", "burst \(bytes(buffer, sustained))b", "limit \(limit)b"]
        if peak > 0 { words += ["peakrate \(UInt64(peak))bps", "mtu \(bytes(largest, peak))"] }
        return words
    }

    private var fairQueueCoDel: [String] {
        var words = numbers([(2, "limit", ""), (5, "flows", ""), (6, "quantum", ""), (9, "memory_limit", ""), (8, "drop_batch", "")])
        // Kept in units of 1024 ns and shown in whole microseconds, cut off: one more makes the same unit again.
        for (type, name) in [(UInt16(1), "target"), (3, "interval"), (7, "ce_threshold")] {
            if let time = attributes[type].flatMap({ word($0, at: 0) }) { words.append("\(name) \(time &+ 1)us") }
        }
        if let ecn = attributes[4].flatMap({ word($0, at: 0) }) { words.append(ecn == 0 ? "noecn" : "ecn") }
        return words
    }

    private var fairQueue: [String] {
        var words = numbers([
            (1, "limit", "p"), (2, "flow_limit", "p"), (3, "quantum", ""), (4, "initial_quantum", ""), (7, "maxrate", "bps"),
            (9, "refill_delay", "us"), (12, "ce_threshold", "us"),
        ]).filter { $0 != "maxrate \(UInt32.max)bps" && $0 != "ce_threshold \(UInt32.max)us" }
        if let pacing = attributes[5].flatMap({ word($0, at: 0) }), pacing == 0 { words.append("nopacing") }
        if let log = attributes[8].flatMap({ word($0, at: 0) }), log < 32 { words.append("buckets \(1 << log)") }
        return words
    }

    private func numbers(_ names: [(type: UInt16, name: String, unit: String)]) -> [String] {
        let attributes = attributes
        return names.compactMap { row in attributes[row.type].flatMap { word($0, at: 0) }.map { "\(row.name) \($0)\(row.unit)" } }
    }

    /// TCA_OPTIONS as netlink attributes (netlink(7)): the value of each type.
    private var attributes: [UInt16: ArraySlice<UInt8>] {
        var found: [UInt16: ArraySlice<UInt8>] = [:]
        var rest = options[...]
        while rest.count >= 4 {
            let length = Int(half(rest, at: 0))
            guard length >= 4, length <= rest.count else { break }
            found[half(rest, at: 2)] = rest.dropFirst(4).prefix(length - 4)
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return found
    }

    private func half(_ bytes: ArraySlice<UInt8>, at offset: Int) -> UInt16 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt16.self) }
    }
    private func word(_ bytes: some Collection<UInt8>, at offset: Int) -> UInt32? {
        let part = Array(bytes.dropFirst(offset).prefix(4))
        return part.count == 4 ? part.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } : nil
    }
    private func long(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        bytes.count >= 8 ? bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } : nil
    }
}
