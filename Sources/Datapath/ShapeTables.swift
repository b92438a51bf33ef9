import CDatapath
import CLibBPF
import CLinux
import Flows
import Glibc
import NetworkTypes
import Policy

/// The shaping rules, rates and buckets of the datapath (`bpf/abi/shape.h`). One writer.
///
/// A rule has a number, which the filter program names (`NILO_OP_SHAPE`). It keeps number, buckets and counters while its name stays. New
/// rules are there before the filter program names them; old ones go by `retire`, after it has stopped to.
public final class ShapeTables {
    private struct Entry {
        var number: UInt32
        var shaper: Shaper
        /// Buckets of members, from `NILO_SHAPERS` on.
        var buckets: Range<Int>?
        var leaves: Range<Int>?

        var nets: [IPPrefix: UInt32] {
            Dictionary(shaper.members.map { ($0.prefix, UInt32($0.number)) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private let maps: SharedMaps
    private let rates: MappedArray<nilo_rate>
    private let buckets: MappedArray<nilo_bucket>
    private let shaped: MappedArray<nilo_shaped>
    private var entries: [ShaperName: Entry] = [:]
    private var numbers = RangeAllocation(1..<Int(NILO_SHAPERS))
    private var memberBuckets = RangeAllocation(Int(NILO_SHAPERS)..<Int(NILO_BUCKETS))
    private var leaves = RangeAllocation(0..<Int(NILO_LEAVES))
    private var version: UInt32 = 0
    /// Rules that the last `apply` left out.
    private var leaving: [Entry] = []

    /// Numbers: twice as many as rules that can be in force, and one more.
    public static let ruleLimit = Int(NILO_SHAPERS) - 1
    /// How far ahead of now a departure may be; what would have to wait longer is dropped.
    static let horizon: UInt64 = 2_000_000_000
    /// What waits longer than this for its departure is marked.
    static let markAfter: UInt64 = 10_000_000

    /// Rules that an earlier agent left in the maps end with the first `retire`: their numbers are not used before.
    public init(maps: SharedMaps) throws(BPFError) {
        self.maps = maps
        rates = try MappedArray(maps, "nilo_rates", count: Int(NILO_BUCKETS), writable: true)
        buckets = try MappedArray(maps, "nilo_buckets", count: Int(NILO_BUCKETS), writable: true)
        shaped = try MappedArray(maps, "nilo_shaped", count: Int(maps.config.cpus) * Int(NILO_SHAPERS), writable: true)
        for number in 1..<UInt32(NILO_SHAPERS) {
            let record = try record(number)
            guard record.version != 0 else { continue }
            version = max(version, record.version)
            var entry = Entry(number: number, shaper: Shaper(.nothing))
            _ = numbers.take(Int(number)..<Int(number) + 1)
            let isMetered = record.mechanism == NILO_SHAPE_POLICE.rawValue || record.mechanism == NILO_SHAPE_DEPART.rawValue
            let first = Int(record.first)
            if isMetered, first >= Int(NILO_SHAPERS), memberBuckets.take(first..<first + Int(record.members)) {
                entry.buckets = first..<first + Int(record.members)
            }
            let place = Int(record.leaves)
            if !isMetered, record.members > 1, leaves.take(place..<place + Int(record.members)) {
                entry.leaves = place..<place + Int(record.members)
            }
            leaving.append(entry)
        }
    }

    /// The number of each rule that is there.
    public var all: [ShaperName: UInt16] { entries.mapValues { UInt16($0.number) } }

    /// Writes rules and rates. A rule that was there before changes at once; one that is left out stays until `retire`.
    /// - Returns: the numbers for the filter program.
    /// - Throws: what was written until then stays; apply the old rules again.
    public func apply(_ wanted: [ShaperName: Shaper]) throws(BPFError) -> [ShaperName: UInt16] {
        for (name, entry) in entries where wanted[name] == nil {
            leaving.append(entry)
            entries[name] = nil
        }
        for (name, shaper) in wanted {
            if let entry = entries[name] {
                entries[name] = try change(entry, to: shaper)
            } else {
                guard let number = numbers.take(1) else {
                    throw BPFError(
                        "add shaping rule \(name.rule)", code: ENOSPC,
                        detail: "\(Self.ruleLimit) are the most at a time, those that are on their way out among them")
                }
                entries[name] = try add(UInt32(number.lowerBound), shaper)
            }
        }
        return all
    }

    /// Frees what the rules held that are not wanted any more.
    /// - Precondition: no filter program in force names them (`PolicyTables.replace` has returned).
    public func retire() throws(BPFError) {
        for entry in leaving {
            try write(nilo_shaper(), to: entry.number)
            try removeNets(of: entry.number)
            if let range = entry.buckets { memberBuckets.give(range) }
            if let range = entry.leaves { leaves.give(range) }
            numbers.give(Int(entry.number)..<Int(entry.number) + 1)
        }
        leaving = []
    }

    // MARK: one rule

    private func add(_ number: UInt32, _ shaper: Shaper) throws(BPFError) -> Entry {
        for cpu in 0..<Int(maps.config.cpus) { shaped.base[cpu * Int(NILO_SHAPERS) + Int(number)] = nilo_shaped() }
        buckets.base[Int(number)] = nilo_bucket()
        var entry = Entry(number: number, shaper: shaper)
        try hold(&entry)
        setRates(entry)
        for (prefix, member) in entry.nets { try setNet(number, prefix, member) }
        try publish(entry)
        return entry
    }

    private func change(_ old: Entry, to shaper: Shaper) throws(BPFError) -> Entry {
        var entry = old
        entry.shaper = shaper
        try hold(&entry)
        setRates(entry)
        let before = old.nets
        let after = entry.nets
        for (prefix, member) in after where before[prefix] != member {
            // It may have been another prefix's.
            if let first = entry.buckets?.lowerBound { buckets.base[first + Int(member)] = nilo_bucket() }
            try setNet(entry.number, prefix, member)
        }
        for prefix in before.keys where after[prefix] == nil { try removeNet(entry.number, prefix) }
        // With rates alone changed nothing else is to be told, and what flows remember stays.
        if before != after || old.shaper.structure != shaper.structure || old.buckets != entry.buckets { try publish(entry) }
        if let range = old.buckets, entry.buckets != range { memberBuckets.give(range) }
        if let range = old.leaves, entry.leaves != range { leaves.give(range) }
        return entry
    }

    /// Takes the buckets and leaves that a rule needs, with room to grow; keeps those it has while they are enough.
    private func hold(_ entry: inout Entry) throws(BPFError) {
        let members = (entry.shaper.members.map(\.number).max() ?? -1) + 1
        var wantedBuckets = 0
        var wantedLeaves = 0
        switch entry.shaper.action {
        case .nothing: break
        case .htb(_, let count): wantedLeaves = members == 0 && count > 1 ? count : 0
        case .police, .depart: wantedBuckets = members
        }
        precondition(wantedLeaves & (wantedLeaves - 1) == 0 || wantedLeaves == 0, "leaves are hashed to: a power of two")
        if wantedBuckets > (entry.buckets?.count ?? 0) {
            guard let range = memberBuckets.take(TableGeometry.powerOfTwo(atLeast: wantedBuckets)) ?? memberBuckets.take(wantedBuckets)
            else { throw BPFError("add \(members) rates", code: ENOSPC, detail: "\(NILO_MEMBER_BUCKETS) are the most in all") }
            entry.buckets = range
            for bucket in range { buckets.base[bucket] = nilo_bucket() }
        } else if wantedBuckets == 0 {
            entry.buckets = nil
        }
        guard wantedLeaves != (entry.leaves?.count ?? 0) else { return }
        entry.leaves = nil
        guard wantedLeaves > 0 else { return }
        guard let range = leaves.take(wantedLeaves) else {
            throw BPFError("add \(wantedLeaves) leaf classes", code: ENOSPC, detail: "\(NILO_LEAVES) are the most in all")
        }
        entry.leaves = range
        for leaf in range {
            var key = UInt32(leaf)
            var empty = nilo_leaf()
            try check(bpf_map_update_elem(maps.descriptor("nilo_leaves"), &key, &empty, 0), "clear a leaf class")
        }
    }

    /// Stores to mapped memory alone: packets pass meanwhile, each by the old rate or the new one.
    private func setRates(_ entry: Entry) {
        let first = entry.buckets?.lowerBound ?? Int(entry.number)
        switch entry.shaper.action {
        case .nothing, .htb: break
        case .police(let rate, let burst):
            if entry.shaper.members.isEmpty { set(nilo_rate(policing: rate, burst: burst), first) }
            for member in entry.shaper.members {
                // At least what the member's own rate brings in 10 ms.
                let own = ByteCount(max(burst.rawValue, UInt64(member.rate.bitsPerSecond / 8 / 100)))
                set(nilo_rate(policing: member.rate, burst: own), first + member.number)
            }
        case .depart(let rate):
            if entry.shaper.members.isEmpty { set(nilo_rate(pacing: rate), first) }
            for member in entry.shaper.members { set(nilo_rate(pacing: member.rate), first + member.number) }
        }
    }

    /// The clock of bpf_ktime_get_ns.
    private static var monotonicNanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// A bucket's state is a time, so what is owed at the old rate is turned into what it comes to at the new one.
    private func set(_ rate: nilo_rate, _ bucket: Int) {
        let old = rates.base[bucket].cost
        rates.base[bucket] = rate
        guard old != 0, old != rate.cost else { return }
        let word = UnsafeMutableRawPointer(buckets.base + bucket).assumingMemoryBound(to: UInt64.self)
        let now = Self.monotonicNanoseconds
        for _ in 0..<64 {
            let next = word.pointee
            guard next > now else { return }
            let owed = (next - now).multipliedFullWidth(by: rate.cost)
            let scaled = owed.high < old ? old.dividingFullWidth(owed).quotient : UInt64.max / 2
            if lx_replace(word, next, now &+ min(scaled, UInt64.max / 4)) != 0 { return }
        }
    }

    private func publish(_ entry: Entry) throws(BPFError) {
        version &+= 1
        if version == 0 { version = 1 }
        var record = nilo_shaper(entry.shaper)
        record.version = version
        switch entry.shaper.action {
        case .nothing: break
        case .htb(let first, let count):
            record.first = UInt32(NILO_CLASS_MAJOR) << 16 | UInt32(first)
            record.members = UInt32(count)
            record.leaves = UInt32(entry.leaves?.lowerBound ?? 0)
        case .police, .depart:
            record.first = UInt32(entry.buckets?.lowerBound ?? Int(entry.number))
            record.members = UInt32(entry.buckets?.count ?? 1)
        }
        try write(record, to: entry.number)
    }

    // MARK: maps

    private func record(_ number: UInt32) throws(BPFError) -> nilo_shaper {
        var key = number
        var record = nilo_shaper()
        try check(bpf_map_lookup_elem(maps.descriptor("nilo_shapers"), &key, &record), "read shaping rule \(number)")
        return record
    }

    private func write(_ record: nilo_shaper, to number: UInt32) throws(BPFError) {
        var key = number
        var record = record
        try check(bpf_map_update_elem(maps.descriptor("nilo_shapers"), &key, &record, 0), "write shaping rule \(number)")
    }

    private func setNet(_ rule: UInt32, _ prefix: IPPrefix, _ member: UInt32) throws(BPFError) {
        var key = nilo_shape_net(rule, prefix)
        var member = member
        try check(bpf_map_update_elem(maps.descriptor("nilo_shape_nets"), &key, &member, 0), "add prefix \(prefix) to a shaping rule")
    }

    private func removeNet(_ rule: UInt32, _ prefix: IPPrefix) throws(BPFError) {
        var key = nilo_shape_net(rule, prefix)
        try check(bpf_map_delete_elem(maps.descriptor("nilo_shape_nets"), &key), "remove prefix \(prefix) from a shaping rule")
    }

    /// Also what an earlier agent wrote.
    private func removeNets(of rule: UInt32) throws(BPFError) {
        let map = maps.descriptor("nilo_shape_nets")
        var found: [nilo_shape_net] = []
        var key = nilo_shape_net()
        var next = nilo_shape_net()
        var more = bpf_map_get_next_key(map, nil, &next)
        while more == 0 {
            key = next
            if UInt32(UInt16(bigEndian: key.rule)) == rule { found.append(key) }
            more = bpf_map_get_next_key(map, &key, &next)
        }
        for var key in found { try check(bpf_map_delete_elem(map, &key), "remove a prefix of shaping rule \(rule)") }
    }

    // MARK: counters

    /// What a rule has done, since it has been there; nil when it is not.
    public func counters(_ name: ShaperName) -> ShaperCounters? {
        entries[name].map(counters(of:))
    }

    /// Rules that an earlier agent left in force, and what they have done: their names are not kept. None any more once rules were retired.
    public var earlier: [(number: UInt32, counters: ShaperCounters)] {
        entries.isEmpty ? leaving.map { ($0.number, counters(of: $0)) } : []
    }

    private func counters(of entry: Entry) -> ShaperCounters {
        var sum = ShaperCounters()
        for cpu in 0..<Int(maps.config.cpus) { sum.add(shaped.base[cpu * Int(NILO_SHAPERS) + Int(entry.number)]) }
        return sum
    }

    /// What has met each prefix's bucket. Empty where classes do the work, or there are no prefixes.
    public func members(_ name: ShaperName) -> [(member: Shaper.Member, counters: BucketCounters)] {
        guard let entry = entries[name], let range = entry.buckets else { return [] }
        return entry.shaper.members.map { ($0, BucketCounters(buckets.base[range.lowerBound + $0.number])) }
    }
}

extension Shaper {
    /// All but the rates.
    fileprivate var structure: Shaper {
        var same = self
        same.members = []
        switch action {
        case .nothing, .htb: break
        case .police: same.action = .police(BitRate(bitsPerSecond: 0), burst: ByteCount(0))
        case .depart: same.action = .depart(BitRate(bitsPerSecond: 0))
        }
        return same
    }
}
