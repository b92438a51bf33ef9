import NetworkTypes

/// The prefixes that stand for addresses without a node of their own.
///
/// Quotas instead of merging: a network has so many /24, then so many /16, then so many /8, then one for all (IPv6: /64, /48, /32). An
/// address goes under the longest prefix that is there and has it, else under a new one of the longest length with room. So nothing ever
/// moves from one prefix to another, and a flood of any size makes at most 337 nodes a family. A prefix goes when nothing is under it any
/// more. One that is as old as ``TopologyLimits/unfoldEpochs`` takes in nothing new while there is room (a quarter of the quota) for the
/// longest length, so that a short prefix does not outlive its flood on what trickles in.
struct FoldTable {
    static let quotas = [256, 64, 16, 1]
    static func lengths(of address: IPAddress) -> [Int] { address.isV4 ? [24, 16, 8, 0] : [64, 48, 32, 0] }

    private struct Fold {
        var network: NetworkKey
        var level: Int
        var isV4: Bool
        var born: UInt32
        var made: UInt64
    }

    private struct Level: Hashable {
        var network: NetworkKey
        var level: Int
        var isV4: Bool
    }

    private var folds: [NodeID: Fold] = [:]
    private var counts: [Level: Int] = [:]

    /// - Parameter oldest: prefixes made before that epoch are old.
    mutating func node(of address: IPAddress, in network: NetworkKey, epoch: UInt64, oldest: UInt64, graph: inout Graph) -> NodeID {
        let prefixes = Self.lengths(of: address).compactMap { IPPrefix(address, length: $0) }
        let used = counts[Level(network: network, level: 0, isV4: address.isV4), default: 0]
        for (level, prefix) in prefixes.enumerated() {
            guard let known = graph.node(.prefix(network, prefix)) else { continue }
            let isOld = (folds[known]?.made ?? epoch) < oldest
            if level == 0 || !isOld || used * 4 >= Self.quotas[0] * 3 { return known }
        }
        for (level, prefix) in prefixes.enumerated() {
            let place = Level(network: network, level: level, isV4: address.isV4)
            // The one for all is never refused: one that has gone may still be counted.
            guard counts[place, default: 0] < Self.quotas[level] || level == prefixes.count - 1 else { continue }
            counts[place, default: 0] += 1
            let node = graph.ensure(.prefix(network, prefix))
            if let gone = folds[node] { giveBack(gone) }
            let born = graph.nodes[Int(node.rawValue)].born
            folds[node] = Fold(network: network, level: level, isV4: address.isV4, born: born, made: epoch)
            return node
        }
        preconditionFailure("no prefix for \(address) in \(network), not even the one for all")
    }

    /// Gives back the room of prefixes that have gone.
    mutating func sweep(_ graph: Graph) {
        for (node, fold) in folds where !graph.isLive(node) || graph.nodes[Int(node.rawValue)].born != fold.born {
            folds[node] = nil
            giveBack(fold)
        }
    }

    private mutating func giveBack(_ fold: Fold) {
        let place = Level(network: fold.network, level: fold.level, isV4: fold.isV4)
        counts[place, default: 0] -= 1
        if counts[place] == 0 { counts[place] = nil }
    }
}
