import Flows
import NetworkTypes

/// A filter taken down to tests of single fields, with all that is known at compile time folded in.
indirect enum FilterCondition: Hashable {
    case constant(Bool)
    case test(FilterProgram.Test)
    /// At least two parts, none of them constant.
    case all([FilterCondition])
    case any([FilterCondition])
    case not(FilterCondition)

    static func all(of parts: some Sequence<FilterCondition>) -> FilterCondition {
        var kept: [FilterCondition] = []
        for part in parts {
            switch part {
            case .constant(false): return .constant(false)
            case .constant(true): continue
            case .all(let inner): kept += inner
            default: kept.append(part)
            }
        }
        return kept.count < 2 ? kept.first ?? .constant(true) : .all(kept)
    }

    static func any(of parts: some Sequence<FilterCondition>) -> FilterCondition {
        var kept: [FilterCondition] = []
        for part in parts {
            switch part {
            case .constant(true): return .constant(true)
            case .constant(false): continue
            case .any(let inner): kept += inner
            default: kept.append(part)
            }
        }
        return kept.count < 2 ? kept.first ?? .constant(false) : .any(kept)
    }

    static func negation(of part: FilterCondition) -> FilterCondition {
        switch part {
        case .constant(let holds): .constant(!holds)
        case .not(let inner): inner
        default: .not(part)
        }
    }

    static func equal(_ field: FilterProgram.Field, _ value: some BinaryInteger) -> FilterCondition {
        .test(.range(field, UInt32(value)...UInt32(value)))
    }

    /// The field is one of `values`: as few ranges as hold them.
    static func member(_ field: FilterProgram.Field, of values: some Sequence<UInt32>) -> FilterCondition {
        any(of: merged(values.map { $0...$0 }).map { .test(.range(field, $0)) })
    }

    /// Ranges that overlap or touch become one; in ascending order.
    static func merged(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}

/// What is known along a path of the program: which values of a field are left, and how other tests came out.
struct FilterKnowledge {
    private var within: [FilterProgram.Field: ClosedRange<UInt32>] = [:]
    private var outside: [FilterProgram.Field: [ClosedRange<UInt32>]] = [:]
    private var results: [FilterProgram.Test: Bool] = [:]

    /// What a test must come to; nil when it is open.
    func result(of test: FilterProgram.Test) -> Bool? {
        guard case .range(let field, let range) = test else { return results[test] }
        if let known = within[field] {
            if !known.overlaps(range) { return false }
            if range.lowerBound <= known.lowerBound, range.upperBound >= known.upperBound { return true }
        }
        let isExcluded = outside[field]?.contains { $0.lowerBound <= range.lowerBound && $0.upperBound >= range.upperBound }
        return isExcluded == true ? false : nil
    }

    func adding(_ test: FilterProgram.Test, _ holds: Bool) -> FilterKnowledge {
        var copy = self
        guard case .range(let field, let range) = test else {
            copy.results[test] = holds
            return copy
        }
        if holds {
            let known = within[field] ?? range
            // A test that cannot hold leads to code that is never run: what is known there does not matter.
            copy.within[field] = known.overlaps(range) ? known.clamped(to: range) : range
        } else {
            copy.outside[field, default: []].append(range)
        }
        return copy
    }
}
