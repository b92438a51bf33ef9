import NetworkTypes
import Topology

/// The addresses that conntrack translates in a namespace, each remembered for a while: flows are short, what translates them stays.
struct TranslationBook {
    /// Distinct ones that are remembered at most; also translated flows that one reading looks at.
    static let most = 10_000
    /// Without a flow for so long one is forgotten: like communication in the topology.
    static let patience = Duration.seconds(300)

    private var seen: [AddressTranslation: ContinuousClock.Instant] = [:]

    /// - Parameter flows: that are translated now.
    /// - Returns: all that is remembered; nil where that is what it was.
    mutating func update(_ flows: [TranslatedFlow], at now: ContinuousClock.Instant) -> [AddressTranslation]? {
        let before = seen.count
        var hasChanged = false
        for translation in flows.lazy.flatMap(\.translations) where seen[translation] != nil || seen.count < Self.most {
            if seen.updateValue(now, forKey: translation) == nil { hasChanged = true }
        }
        let grown = seen.count
        seen = seen.filter { now - $0.value <= Self.patience }
        return hasChanged || seen.count != grown || seen.count != before ? Array(seen.keys) : nil
    }
}

extension TranslatedFlow {
    /// What stands for what. Of the source only the addresses: its ports are of this flow alone.
    var translations: [AddressTranslation] {
        var found: [AddressTranslation] = []
        if isDestinationTranslated, original.destination != reply.source {
            let port = original.destinationPort == reply.sourcePort ? 0 : original.destinationPort
            found.append(AddressTranslation(transport: transport, address: original.destination, port: port, actual: reply.source))
        }
        if isSourceTranslated, original.source != reply.destination {
            found.append(AddressTranslation(transport: transport, address: reply.destination, port: 0, actual: original.source))
        }
        return found
    }
}
