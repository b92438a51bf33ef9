/// How the flows of a multipath route are expected to spread (hash-threshold, RFC 2992).
///
/// The kernel gives each nexthop a range of the hash as long as its weight. The hash is secret, so ranges are taken as probabilities.
enum MultipathShares {
    /// Of a route with nexthops of its own (fib_select_multipath, net/ipv4/fib_semantics.c).
    ///
    /// - Parameters:
    ///   - weights: 0 for a nexthop that is not used.
    ///   - fits: whether packets by that nexthop would have the flow's source address.
    ///   - prefersFit: the flow has a source address: since Linux 6.15 a nexthop that fits is preferred to all that do not.
    /// - Returns: positions and shares above zero.
    static func ofRoute(weights: [Int], fits: [Bool], prefersFit: Bool) -> [(Int, Double)] {
        let total = weights.reduce(0, +)
        guard total > 0 else { return [] }
        var shares = [Double](repeating: 0, count: weights.count)
        for region in weights.indices where weights[region] > 0 {
            // A hash in this range is within the bounds of this and all later nexthops.
            var best = region
            var bestScore = -1
            for candidate in weights.indices where weights[candidate] > 0 {
                let score = (prefersFit && fits[candidate] ? 2 : 0) + (candidate >= region ? 1 : 0)
                if score > bestScore { (best, bestScore) = (candidate, score) }
            }
            shares[best] += Double(weights[region]) / Double(total)
        }
        return shares.enumerated().filter { $0.element > 0 }.map { ($0.offset, $0.element) }
    }

    /// Of a group of nexthop objects (nexthop_select_path_hthr, net/ipv4/nexthop.c): what falls to a member that is not good goes to the
    /// next good one, past the end to the first good one, and to the first of all where none is good.
    static func ofGroup(_ members: [(weight: Int, isGood: Bool)]) -> [(Int, Double)] {
        let total = members.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return [] }
        let firstGood = members.firstIndex { $0.isGood } ?? 0
        var shares = [Double](repeating: 0, count: members.count)
        for region in members.indices {
            let chosen = members[region...].firstIndex { $0.isGood } ?? firstGood
            shares[chosen] += Double(members[region].weight) / Double(total)
        }
        return shares.enumerated().filter { $0.element > 0 }.map { ($0.offset, $0.element) }
    }
}
