extension Collection where Element: BinaryFloatingPoint {
    /// The mean of the two middle elements, or the middle one; nan without any. What is not a number is left out.
    var median: Double {
        let sorted = ordered
        let middle = sorted.count / 2
        guard !sorted.isEmpty else { return .nan }
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The element below which a share of the others lies (nearest rank); nan without any. What is not a number is left out.
    func quantile(_ share: Double) -> Double { ordered.ranked(share) }

    /// The elements that are numbers, ascending.
    var ordered: [Double] { compactMap { $0.isNaN ? nil : Double($0) }.sorted() }

    /// The mean of those that are numbers; nan without any.
    var mean: Double {
        var sum = 0.0
        var count = 0.0
        for element in self where !element.isNaN {
            sum += Double(element)
            count += 1
        }
        return sum / count
    }

    /// The median distance from the median, times 1.4826: the standard deviation if the elements are normal.
    func deviation(from median: Double) -> Double { 1.4826 * map { abs(Double($0) - median) }.median }
}

extension [Double] {
    /// The same of an array that is sorted and has only numbers.
    func ranked(_ share: Double) -> Double {
        isEmpty ? .nan : self[Swift.min(count - 1, Swift.max(0, Int((Double(count - 1) * share).rounded())))]
    }
}
