/// Who gets how much of a capacity that is too small for all.
enum CapacityShare {
    struct Claim: Hashable, Sendable {
        /// Bits a second, not negative.
        var want: Double
        /// Granted in any case.
        var floor: Double
        var criticality: Int
        var weight: Int
    }

    /// Floors first, and even where they are more than there is: they were promised. Then wants by criticality, and within one by weighted
    /// max-min fairness (Bertsekas and Gallager, Data Networks, 6.5.2). The grants are within the claims, and beyond the floors not above the
    /// capacity together.
    static func grants(_ claims: [Claim], capacity: Double) -> [Double] {
        var grants = claims.map { min($0.floor, $0.want) }
        var left = max(0, capacity - grants.reduce(0, +))
        for level in Set(claims.map(\.criticality)).sorted(by: >) {
            let members = claims.indices.filter { claims[$0].criticality == level }
            let needs = members.map { max(0, claims[$0].want - grants[$0]) }
            let given = maxMin(needs, weights: members.map { Double(claims[$0].weight) }, capacity: left)
            for (member, amount) in zip(members, given) {
                grants[member] += amount
                left -= amount
            }
            left = max(0, left)
        }
        return grants
    }

    /// Weighted max-min fair shares: who needs less than a fair part gets what it needs, and the rest is shared by the others.
    static func maxMin(_ needs: [Double], weights: [Double], capacity: Double) -> [Double] {
        guard needs.reduce(0, +) > capacity else { return needs }
        var shares = [Double](repeating: 0, count: needs.count)
        var left = capacity
        var open = needs.indices.sorted { needs[$0] / weights[$0] < needs[$1] / weights[$1] }
        while let next = open.first {
            let part = left / open.reduce(0) { $0 + weights[$1] }
            guard needs[next] <= part * weights[next] else {
                for index in open { shares[index] = part * weights[index] }
                break
            }
            shares[next] = needs[next]
            left -= needs[next]
            open.removeFirst()
        }
        return shares
    }
}
