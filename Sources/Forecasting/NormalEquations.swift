/// The sums of a weighted least-squares regression, kept per block of time, so that the regression without any block costs one solution and
/// no pass over the rows: leave-one-block-out is what makes errors of the past honest.
struct NormalEquations {
    static let size = SeriesView.featureCount
    /// Doubles of one block: the matrix, row by row (only its lower triangle is filled), and the right side.
    private static let stride = size * size + size

    private let blocks: Int
    /// `blocks` parts, and their total.
    private var sums: [Double]
    private(set) var weight = 0.0

    /// - Parameters:
    ///   - x: rows × `size`.
    ///   - y: one target per row.
    ///   - weights: one per row, not negative.
    ///   - blockOf: the block of each row, 0 ..< `blocks`.
    ///   - step: 1 to take every row, 2 for every other.
    init(x: [Double], y: [Double], weights: [Double], blockOf: [Int], blocks: Int, every step: Int = 1) {
        self.blocks = blocks
        let size = Self.size
        let stride = Self.stride
        var sums = [Double](repeating: 0, count: (blocks + 1) * stride)
        var weight = 0.0
        sums.withUnsafeMutableBufferPointer { sums in
            x.withUnsafeBufferPointer { x in
                for row in Swift.stride(from: 0, to: y.count, by: step) where weights[row] > 0 {
                    let part = sums.baseAddress! + blockOf[row] * stride
                    let values = x.baseAddress! + row * size
                    weight += weights[row]
                    for j in 0..<size {
                        let scaled = weights[row] * values[j]
                        let line = part + j * size
                        for k in 0...j { line[k] += scaled * values[k] }
                        part[size * size + j] += scaled * y[row]
                    }
                }
            }
            for block in 0..<blocks {
                for k in 0..<stride { sums[blocks * stride + k] += sums[block * stride + k] }
            }
        }
        self.sums = sums
        self.weight = weight
    }

    /// The coefficients that minimise the squared error plus `penalty` times their squared distance from `prior` (ridge regression;
    /// Hoerl and Kennard 1970), without the rows of the block `without`.
    func solution(penalty: Double, prior: [Double], without: Int? = nil) -> [Double] {
        let size = Self.size
        let stride = Self.stride
        var system = Array(sums[(blocks * stride)...])
        if let without {
            for k in 0..<stride { system[k] -= sums[without * stride + k] }
        }
        for k in 0..<size {
            system[k * size + k] += penalty
            system[size * size + k] += penalty * prior[k]
        }
        return system.withUnsafeMutableBufferPointer { Self.solve($0.baseAddress!, $0.baseAddress! + size * size) }
    }

    /// Cholesky's factorisation in place, then both triangular systems.
    private static func solve(_ a: UnsafeMutablePointer<Double>, _ b: UnsafeMutablePointer<Double>) -> [Double] {
        for j in 0..<size {
            var pivot = a[j * size + j]
            let least = 1e-13 * pivot
            for k in 0..<j { pivot -= a[j * size + k] * a[j * size + k] }
            // What is left of a column that depends on others is rounding: an infinite pivot makes its coefficient 0.
            pivot = pivot > least ? pivot.squareRoot() : .infinity
            a[j * size + j] = pivot
            for i in (j + 1)..<max(size, j + 1) {
                var sum = a[i * size + j]
                for k in 0..<j { sum -= a[i * size + k] * a[j * size + k] }
                a[i * size + j] = sum / pivot
            }
        }
        for i in 0..<size {
            for k in 0..<i { b[i] -= a[i * size + k] * b[k] }
            b[i] /= a[i * size + i]
        }
        for i in (0..<size).reversed() {
            for k in (i + 1)..<max(size, i + 1) { b[i] -= a[k * size + i] * b[k] }
            b[i] /= a[i * size + i]
        }
        return (0..<size).map { b[$0] }
    }
}
