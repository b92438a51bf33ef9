/// The first few of many in some order: a heap of at most `limit` elements whose top is the last one still in.
public struct Leaders<Element> {
    private var heap: [Element] = []
    private let limit: Int
    /// Whether the first argument goes before the second. A strict total order gives a result that does not depend on the order of offers.
    private let precedes: (Element, Element) -> Bool

    public init(_ limit: Int, by precedes: @escaping (Element, Element) -> Bool) {
        self.limit = max(0, limit)
        self.precedes = precedes
    }

    public mutating func offer(_ element: Element) {
        if heap.count < limit {
            heap.append(element)
            var child = heap.count - 1
            while child > 0, precedes(heap[(child - 1) / 2], heap[child]) {
                heap.swapAt((child - 1) / 2, child)
                child = (child - 1) / 2
            }
        } else if let last = heap.first, precedes(element, last) {
            heap[0] = element
            sink()
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var latest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[latest], heap[child]) { latest = child }
            if latest == parent { return }
            heap.swapAt(parent, latest)
            parent = latest
        }
    }

    public func inOrder() -> [Element] { heap.sorted(by: precedes) }
}
