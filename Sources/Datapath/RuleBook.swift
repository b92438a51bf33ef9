import CDatapath
import CLibBPF
import Glibc
import NetworkTypes
import Policy

/// Which rule of the policy stands at which place of the kernel's rule tables. Pinned with them: a new agent finds the same rules at
/// the same places, and their counters go on.
public final class RuleBook {
    public struct Place: Hashable, Sendable {
        public var kind: RuleKind
        public var index: UInt16
        public init(_ kind: RuleKind, _ index: UInt16) {
            self.kind = kind
            self.index = index
        }
    }

    /// A rule, or a part of one: a mirror in two namespaces stands at two places, a shaper at one for each interface.
    public struct Tenant: Hashable, Sendable {
        public var name: String
        /// Of a mirror the namespace's cookie, of a shaper the interface's id, of a sampler 0.
        public var part: UInt64
        public init(name: String, part: UInt64) {
            self.name = name
            self.part = part
        }
    }

    private let map: Int32
    public private(set) var tenants: [Place: Tenant] = [:]
    public private(set) var since: [Place: Timestamp] = [:]

    /// Reads what an earlier agent wrote.
    public init(maps: SharedMaps) throws(BPFError) {
        map = maps.descriptor("nilo_rules")
        var key = nilo_rule_key()
        var next = nilo_rule_key()
        var more = bpf_map_get_next_key(map, nil, &next)
        while more == 0 {
            key = next
            var record = nilo_rule()
            try check(bpf_map_lookup_elem(map, &key, &record), "recall a rule")
            if let kind = RuleKind(number: key.kind) {
                let place = Place(kind, key.index)
                let name = withUnsafeBytes(of: record.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                tenants[place] = Tenant(name: name, part: record.part)
                since[place] = Timestamp(nanoseconds: Int64(record.since_unix_ns))
            }
            more = bpf_map_get_next_key(map, &key, &next)
        }
    }

    /// Where a rule stands, or else the lowest free place; nil when all are taken. `taken` are those given away but not written yet.
    public func place(of tenant: Tenant, _ kind: RuleKind, besides taken: Set<Place> = []) -> Place? {
        if let held = tenants.first(where: { $0.key.kind == kind && $0.value == tenant })?.key { return held }
        return kind.kernelIndices.lazy.map { Place(kind, UInt16($0)) }.first { self.tenants[$0] == nil && !taken.contains($0) }
    }

    public func remember(_ tenant: Tenant, at place: Place) throws(BPFError) {
        guard tenants[place] != tenant else { return }
        var key = nilo_rule_key(kind: place.kind.number, index: place.index)
        var record = nilo_rule()
        record.part = tenant.part
        let now = Timestamp.now
        record.since_unix_ns = UInt64(now.nanoseconds)
        withUnsafeMutableBytes(of: &record.name) { field in
            for (i, byte) in tenant.name.utf8.prefix(field.count - 1).enumerated() { field[i] = byte }
        }
        try check(bpf_map_update_elem(map, &key, &record, 0), "remember rule \(tenant.name)")
        tenants[place] = tenant
        since[place] = now
    }

    public func forget(_ place: Place) throws(BPFError) {
        var key = nilo_rule_key(kind: place.kind.number, index: place.index)
        let result = bpf_map_delete_elem(map, &key)
        if result != -ENOENT { try check(result, "forget a rule") }
        tenants[place] = nil
        since[place] = nil
    }
}

extension RuleKind {
    /// `enum nilo_rule_kind`.
    fileprivate var number: UInt16 {
        switch self {
        case .mirror: UInt16(NILO_RULE_MIRROR.rawValue)
        case .sampler: UInt16(NILO_RULE_SAMPLER.rawValue)
        case .shaper: UInt16(NILO_RULE_SHAPER.rawValue)
        }
    }

    fileprivate init?(number: UInt16) {
        guard let kind = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = kind
    }
}
