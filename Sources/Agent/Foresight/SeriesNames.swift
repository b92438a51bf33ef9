import Foresight
import Topology

/// What people call series that are watched: as lists show them, with the words for the direction or without.
struct SeriesNames {
    let keys: [SeriesKey]

    init(_ keys: [String]) { self.keys = keys.compactMap(SeriesKey.init) }

    /// Of both measures; of one direction where the name says which.
    func called(_ text: String) -> [SeriesKey] {
        let text = text.plainArrows
        let directed = keys.filter { key in
            key.title == text || "\(key.name) \(key.direction.replacing("-", with: " "))" == text
        }
        if !directed.isEmpty { return directed }
        let named = keys.filter { $0.name == text || $0.name + $0.port == text }
        // As an interface is called where there is no doubt, with the word for a direction.
        return named.isEmpty ? keys.filter { $0.isOfInterface && $0.title.hasSuffix(":" + text) } : named
    }

    /// The thing that a name stands for. Of an interface and the segment that it alone is in, which are called the same, the interface.
    /// - Returns: nil: nothing that is watched is called so.
    func subject(_ text: String) throws(TopologyRefusal) -> String? {
        let subjects = Set(called(text).map(\.subject))
        guard subjects.count > 1 else { return subjects.first }
        let interfaces = subjects.filter { EntityKey($0)?.isInterface == true }
        if interfaces.count == 1 { return interfaces.first }
        throw TopologyRefusal(
            status: 404, error: "\(text) may be \(subjects.sorted().prefix(5).joined(separator: ", "))", hint: "give the key")
    }

    // MARK: Silences

    /// Patterns of keys for what a person wants silent: a pattern or a series' key as it is, else those of what is called so.
    /// - Parameter subject: the key of the thing that is called so in the topology, which goes before others of that name.
    func patterns(_ text: String, subject: String?) -> [String] {
        if text.contains("*") || SeriesKey(text) != nil { return [text] }
        let own = keys.filter { $0.subject == subject }
        let sides = Set((own.isEmpty ? called(text) : own).map { "*\($0.isBackward ? "<" : ">")\($0.subject)" })
        return sides.isEmpty ? [text] : sides.sorted()
    }

    /// Names of what patterns mean now, each once.
    func matched(_ patterns: [String]) -> [String] {
        let silences = patterns.map { Silence(pattern: $0, until: .max) }
        return Set(keys.filter { key in silences.contains { $0.covers(key.text, at: 0) } }.map(\.title)).sorted()
    }
}

extension SeriesKey {
    fileprivate var isOfInterface: Bool { EntityKey(subject)?.isInterface == true }
}

extension EntityKey {
    fileprivate var isInterface: Bool {
        guard case .node(let node) = self else { return false }
        return node.kind == .interface
    }
}

extension String {
    /// As it can be typed: `a -> b`.
    fileprivate var plainArrows: String { replacing(" -> ", with: " → ").replacing(" - ", with: " – ") }
}
