/// The most frequent of many, in bounded memory (Misra, Gries, “Finding repeated elements”, 1982): what makes more than a ninth of all is in it.
/// Counts are too low by at most that part.
struct FrequentItems<Item: Hashable> {
    private static var capacity: Int { 8 }
    private var items: [(item: Item, count: UInt64)] = []

    mutating func add(_ item: Item, count: UInt64 = 1) {
        if let at = items.firstIndex(where: { $0.item == item }) {
            items[at].count &+= count
        } else if items.count < Self.capacity {
            items.append((item, count))
        } else {
            let least = min(count, items.lazy.map(\.count).min() ?? 0)
            for at in items.indices { items[at].count -= least }
            items.removeAll { $0.count == 0 }
            if count > least, items.count < Self.capacity { items.append((item, count - least)) }
        }
    }

    /// Most first.
    var leaders: [(item: Item, count: UInt64)] { items.sorted { $0.count > $1.count } }
}
