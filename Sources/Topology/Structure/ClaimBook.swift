import NetworkTypes

/// Who says what of which entity. An entity is there as long as somebody says so, and its state is what all say together.
///
/// Invariant: the outcome depends on the claims that stand now, not on the order in which they came or on what stood before.
struct ClaimBook {
    /// What makes claims: a fact of a namespace, or something that is told as a whole.
    enum Source: Hashable {
        case fact(UInt64, FactIdentity)
        case namespace(UInt64)
        case announcement(InterfaceID)
        case host
        case declarations
    }

    typealias Claims = [EntityKey: EntityState]

    private var bySource: [Source: Claims] = [:]
    private var byEntity: [EntityKey: [EntityState]] = [:]
    /// Entities whose claims changed since they were last taken.
    private var touched: Set<EntityKey> = []

    /// What the source says now, in place of what it said before.
    mutating func set(_ claims: Claims, of source: Source) {
        let old = bySource[source] ?? [:]
        if claims.isEmpty && old.isEmpty { return }
        bySource[source] = claims.isEmpty ? nil : claims
        for (key, state) in old where claims[key] != state {
            touched.insert(key)
            if let index = byEntity[key]?.firstIndex(of: state) { byEntity[key]!.remove(at: index) }
            if byEntity[key]?.isEmpty == true { byEntity[key] = nil }
        }
        for (key, state) in claims where old[key] != state {
            touched.insert(key)
            byEntity[key, default: []].append(state)
        }
    }

    /// The entities to look at again.
    mutating func takeTouched() -> Set<EntityKey> {
        defer { touched = [] }
        return touched
    }

    /// nil when nothing claims it.
    func state(of key: EntityKey) -> EntityState? {
        guard let states = byEntity[key], let first = states.first else { return nil }
        if states.count == 1 { return first }
        if states.allSatisfy({ $0 == first }) { return first }
        let sorted = states.map { ($0, $0.encoded) }.sorted { $0.1.lexicographicallyPrecedes($1.1) }
        return sorted.dropFirst().reduce(sorted[0].0) { $0.merged(with: $1.0) }
    }

    func isClaimed(_ key: EntityKey) -> Bool { byEntity[key] != nil }

    var entityCount: Int { byEntity.count }
}
