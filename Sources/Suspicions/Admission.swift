/// Lets in the first so many of a second, and then one in 32: a flood of what is met once takes no more time and memory than that, and what is
/// met often gets in.
struct Admission {
    let most: Int
    private var taken = 0
    private(set) var refused: UInt64 = 0

    init(most: Int) { self.most = most }

    /// - Parameter hash: of this one meeting, so that the next meeting of the same has another chance.
    mutating func admits(_ hash: UInt64) -> Bool {
        guard taken < most || (taken < 2 * most && hash >> 40 & 31 == 0) else {
            refused &+= 1
            return false
        }
        taken += 1
        return true
    }

    mutating func turn() { taken = 0 }
}
