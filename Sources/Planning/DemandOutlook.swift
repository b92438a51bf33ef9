import NetworkTypes

/// What is expected of a class's demand, or why nothing is.
public enum DemandOutlook: Hashable, Sendable {
    case expected(DemandQuantiles)
    /// Why there is no forecast.
    case abstained(String)
}

/// Quantiles of demand in the next steps, each as long as a planning interval.
public struct DemandQuantiles: Hashable, Sendable {
    /// Probabilities, rising, at least two.
    public var levels: [Double]
    /// By step, then by level, bits a second; within a step they do not fall.
    public var values: [[Double]]

    public init(levels: [Double], values: [[Double]]) {
        precondition(levels.count >= 2 && values.allSatisfy { $0.count == levels.count }, "\(levels.count) levels, \(values.map(\.count))")
        self.levels = levels
        self.values = values
    }

    /// The highest quantile within the first `steps`, and the step, from 1, that has it.
    public func peak(_ probability: Double, within steps: Int) -> (demand: Double, step: Int) {
        var best = (demand: 0.0, step: 1)
        for (index, step) in values.prefix(max(1, steps)).enumerated() {
            let demand = quantile(probability, of: step)
            if demand > best.demand { best = (demand, index + 1) }
        }
        return best
    }

    /// The share of the first `steps` in which demand is expected above `rate`.
    public func exceedance(of rate: Double, within steps: Int) -> Double {
        let steps = values.prefix(max(1, steps))
        guard !steps.isEmpty else { return 0 }
        return steps.reduce(0) { $0 + exceedance(of: rate, step: $1) } / Double(steps.count)
    }

    /// Linear between the levels; beyond them the outermost.
    private func quantile(_ probability: Double, of step: [Double]) -> Double {
        guard let above = levels.firstIndex(where: { $0 >= probability }) else { return step[step.count - 1] }
        guard above > 0 else { return step[0] }
        let share = (probability - levels[above - 1]) / (levels[above] - levels[above - 1])
        return step[above - 1] + share * (step[above] - step[above - 1])
    }

    /// Beyond the outermost quantiles the probability falls to nothing over the distance to the one in the middle.
    private func exceedance(of rate: Double, step: [Double]) -> Double {
        let (first, middle, last) = (step[0], step[step.count / 2], step[step.count - 1])
        if rate < first {
            let reach = max(middle - first, 1e-9)
            return 1 - levels[0] * max(0, 1 - (first - rate) / reach)
        }
        if rate >= last {
            let reach = max(last - middle, 1e-9)
            return (1 - levels[levels.count - 1]) * max(0, 1 - (rate - last) / reach)
        }
        let above = step.firstIndex { $0 > rate } ?? step.count - 1
        let share = (rate - step[above - 1]) / (step[above] - step[above - 1])
        return 1 - (levels[above - 1] + share * (levels[above] - levels[above - 1]))
    }
}
