import CDatapath
import CLibBPF
import CLinux
import Glibc
import NetworkTypes

/// The filter program that the datapath walks for each new flow, and its prefix sets (`bpf/abi/policy.h`).
///
/// A new program is written to the bank that is not in force and then put in force by one store: no packet meets half of it, and none is
/// held up. One writer.
public final class PolicyTables {
    private let maps: SharedMaps

    /// One prefix of a set.
    public struct SetMember: Hashable, Sendable {
        public var set: UInt16
        public var prefix: IPPrefix
        public init(set: UInt16, _ prefix: IPPrefix) {
            self.set = set
            self.prefix = prefix
        }
    }

    public static let instructionLimit = Int(NILO_INSTRUCTIONS)

    public init(maps: SharedMaps) { self.maps = maps }

    private func policy() throws(BPFError) -> nilo_policy {
        var zero: UInt32 = 0
        var policy = nilo_policy()
        try check(bpf_map_lookup_elem(maps.descriptor("nilo_policies"), &zero, &policy), "read the policy in force")
        return policy
    }

    /// Of the program in force; 0 before the first one.
    public var generation: UInt32 { get throws(BPFError) { try policy().generation } }

    /// Puts a program in force. On return no packet is judged by the old one any more.
    /// - Parameters:
    ///   - instructions: at most `instructionLimit`, the last one `NILO_OP_END`.
    ///   - uses: `enum nilo_policy_uses`.
    /// - Throws: the old program stays in force.
    public func replace(_ instructions: [nilo_instruction], sets: [SetMember] = [], uses: UInt32 = 0) throws(BPFError) {
        precondition(instructions.count <= Self.instructionLimit && instructions.last?.operation == UInt8(NILO_OP_END.rawValue))
        guard sets.count <= Int(NILO_PREFIXES) / 2 else {
            throw BPFError("write the policy", code: E2BIG, detail: "\(sets.count) prefixes; \(NILO_PREFIXES / 2) are the most")
        }
        var policy = try policy()
        let generation = policy.generation &+ 1
        let bank = generation & 1
        try clearPrefixes(bank)
        try write(instructions, bank)
        try write(sets, bank)
        if bank == 0 { policy.uses.0 = uses } else { policy.uses.1 = uses }
        var zero: UInt32 = 0
        let map = maps.descriptor("nilo_policies")
        // What the idle bank uses stands before the bank is in force.
        try check(bpf_map_update_elem(map, &zero, &policy, 0), "describe the new policy")
        policy.generation = generation
        try check(bpf_map_update_elem(map, &zero, &policy, 0), "put the new policy in force")
        // Where the kernel has no barrier for us: programs end within microseconds.
        if lx_wait_for_programs() != 0 { usleep(50_000) }
    }

    private func write(_ instructions: [nilo_instruction], _ bank: UInt32) throws(BPFError) {
        let first = bank * UInt32(NILO_INSTRUCTIONS)
        let keys = Array(first..<first + UInt32(instructions.count))
        try batch("write the filter program", "nilo_program", keys, instructions)
    }

    private func write(_ sets: [SetMember], _ bank: UInt32) throws(BPFError) {
        guard !sets.isEmpty else { return }
        let keys = sets.map { nilo_prefix($0, bank: UInt8(bank)) }
        try batch("write the prefix sets", "nilo_prefixes", keys, [UInt32](repeating: 1, count: keys.count))
    }

    private func batch<Key, Value>(_ what: String, _ map: String, _ keys: [Key], _ values: [Value]) throws(BPFError) {
        var count = UInt32(keys.count)
        let result = keys.withUnsafeBytes { keys in
            values.withUnsafeBytes { bpf_map_update_batch(maps.descriptor(map), keys.baseAddress, $0.baseAddress, &count, nil) }
        }
        try check(result, what)
    }

    /// Removes the prefixes of the bank that is not in force: an earlier policy's, or of one that was not finished.
    private func clearPrefixes(_ bank: UInt32) throws(BPFError) {
        let map = maps.descriptor("nilo_prefixes")
        var stale: [nilo_prefix] = []
        var key = nilo_prefix()
        var next = nilo_prefix()
        var more = bpf_map_get_next_key(map, nil, &next)
        while more == 0 {
            key = next
            if UInt32(key.bank) == bank { stale.append(key) }
            more = bpf_map_get_next_key(map, &key, &next)
        }
        for var key in stale { try check(bpf_map_delete_elem(map, &key), "clear the idle policy") }
    }
}

extension nilo_prefix {
    init(_ member: PolicyTables.SetMember, bank: UInt8) {
        self.init()
        length = 32 + UInt32(member.prefix.length)
        self.bank = bank
        if case .v4 = member.prefix.address { family = 4 } else { family = 6 }
        set = member.set.bigEndian
        let words = member.prefix.address.fieldWords
        withUnsafeMutableBytes(of: &address) {
            $0.storeBytes(of: words.0, as: UInt64.self)
            $0.storeBytes(of: words.1, toByteOffset: 8, as: UInt64.self)
        }
    }
}
