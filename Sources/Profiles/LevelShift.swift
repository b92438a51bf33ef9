/// A series that moved to another level and stayed there.
public struct LevelShift: Hashable, Sendable {
    /// Beginning of the first hour at the new level, seconds since the epoch.
    public var at: Int64
    /// Medians of the hours of up to a week after, and of the same hours of the week before, in the series' unit.
    public var from: Double
    public var to: Double
}

/// Finds level shifts in hourly means.
///
/// On a logarithmic scale, less the pattern of the day and of the weekdays, the quarters of the days are split in two where that leaves
/// least over, again and again. A split is a shift if the levels are far apart for the spread at both sides, hardly overlap, differ by a
/// seventh at least, and a line through both explains less.
struct LevelShiftSearch {
    /// Hours of a piece; pieces that a shift has to last for, with two weeks of history and with less (it could be a weekend); and pieces at
    /// each side that it is judged by.
    private static let piece = 6
    private static let shortest = (known: 4, young: 12)
    private static let window = 28
    /// In standard deviations of the pieces, and on the logarithmic scale.
    private static let distance = 3.5
    private static let smallest = 0.14
    /// The share of a side that has to be on its side of the middle.
    private static let apart = 0.85
    /// What a step leaves over, beside what a line does.
    private static let betterThanLine = 0.75

    private let hours: Hours
    /// Per hour; nan where it is not known.
    private let rest: [Double]
    /// Medians of the pieces.
    private let pieces: [Double]
    private let shortest: Int

    init?(_ hours: Hours) {
        let days = hours.wholeDays
        let middle = hours.means.filter { $0 > 0 }.median
        guard days.count >= 6, middle > 0 else { return nil }
        self.hours = hours
        shortest = days.count >= 14 ? Self.shortest.known : Self.shortest.young
        let z = hours.means.map { logarithmOfOnePlus(Double($0) / (0.1 * middle)) }
        rest = Self.withoutPattern(z, hours.first, days)
        var pieces: [Double] = []
        for start in stride(from: 0, to: rest.count - Self.piece + 1, by: Self.piece) {
            pieces.append(rest[start..<(start + Self.piece)].median)
        }
        self.pieces = pieces
    }

    /// Less what the hour of the day and the weekday usually are, beside their day and their week: so a shift does not blur them.
    private static func withoutPattern(_ z: [Double], _ first: Int64, _ days: [(day: Int64, start: Int)]) -> [Double] {
        let levels = days.map { z[$0.start..<($0.start + 24)].median }
        let hourly = (0..<24).map { hour in days.indices.map { z[days[$0].start + hour] - levels[$0] }.median }
        var weekdays = [Double](repeating: 0, count: 7)
        if days.count >= 14 {
            for weekday in 0..<7 {
                let apart = days.indices.compactMap { index -> Double? in
                    guard StepCalendar.weekday(ofDay: days[index].day) == weekday, index >= 3, index + 3 < days.count else { return nil }
                    return levels[index] - levels[(index - 3)...(index + 3)].median
                }
                weekdays[weekday] = apart.count >= 2 ? apart.median : 0
            }
        }
        return z.indices.map { index in
            let hour = first + Int64(index)
            let usual = hourly[StepCalendar.modulo(hour, 24)]
            return z[index] - (usual.isNaN ? 0 : usual) - weekdays[StepCalendar.weekday(ofDay: StepCalendar.floor(hour, 24))]
        }
    }

    /// The shifts, oldest first.
    func shifts(_ calendar: StepCalendar) -> [LevelShift] {
        var splits: [Int] = []
        var open = [0..<pieces.count]
        while let segment = open.popLast() {
            guard let split = split(segment), isShift(split, in: segment) else { continue }
            splits.append(split)
            open += [segment.lowerBound..<split, split..<segment.upperBound]
        }
        splits.sort()
        return splits.indices.map { index in
            let before = index > 0 ? splits[index - 1] * Self.piece : 0
            let after = index + 1 < splits.count ? splits[index + 1] * Self.piece : hours.means.count
            let hour = refined(splits[index], before..<after)
            let to = hour..<min(after, hour + 168)
            // The same hours of the week before, where they are known: a weekend is another level each week.
            let from = hour - 168 >= before ? (hour - 168)..<(hour - 168 + to.count) : before..<hour
            return LevelShift(
                at: (hours.first + Int64(hour)) * Int64(calendar.secondsPerHour), from: hours.means[from].median,
                to: hours.means[to].median)
        }
    }

    /// Where two levels leave least over, of pieces that count no further than four spreads from their median.
    private func split(_ segment: Range<Int>) -> Int? {
        guard segment.count >= 2 * shortest else { return nil }
        let values = pieces[segment]
        let middle = values.median
        let reach = 4 * max(values.deviation(from: middle), 1e-9)
        var sums = [0.0]
        var counts = [0.0]
        for value in values {
            sums.append(sums.last! + (value.isNaN ? 0 : min(reach, max(-reach, value - middle))))
            counts.append(counts.last! + (value.isNaN ? 0 : 1))
        }
        let (sum, count) = (sums.last!, counts.last!)
        var best: (gain: Double, at: Int)?
        for index in shortest...(values.count - shortest) where counts[index] > 0 && counts[index] < count {
            let after = sum - sums[index]
            let gain = sums[index] * sums[index] / counts[index] + after * after / (count - counts[index])
            if gain > best?.gain ?? -1 { best = (gain, index) }
        }
        return best.map { segment.lowerBound + $0.at }
    }

    private func isShift(_ split: Int, in segment: Range<Int>) -> Bool {
        let before = pieces[max(segment.lowerBound, split - Self.window)..<split].filter { !$0.isNaN }
        let after = pieces[split..<min(segment.upperBound, split + Self.window)].filter { !$0.isNaN }
        guard before.count >= shortest, after.count >= shortest else { return false }
        let (from, to) = (before.median, after.median)
        let left = before.map { abs($0 - from) } + after.map { abs($0 - to) }
        guard abs(to - from) >= max(Self.smallest, Self.distance * 1.4826 * left.median) else { return false }
        let middle = (from + to) / 2
        func share(_ side: [Double], above: Bool) -> Double { Double(side.count { ($0 > middle) == above }) / Double(side.count) }
        guard share(before, above: to < from) >= Self.apart, share(after, above: to > from) >= Self.apart else { return false }
        return left.reduce(0, +) < Self.betterThanLine * Self.leftByLine(before + after)
    }

    /// What is left over by a line through the medians of the first and the last third.
    private static func leftByLine(_ values: [Double]) -> Double {
        let third = values.count / 3
        let slope = (values.suffix(third).median - values.prefix(third).median) / Double(values.count - third)
        let flat = values.indices.map { values[$0] - slope * Double($0) }
        let middle = flat.median
        return flat.reduce(0) { $0 + abs($1 - middle) }
    }

    /// The hour within half a day of the split where two levels leave least over.
    private func refined(_ split: Int, _ segment: Range<Int>) -> Int {
        let hour = split * Self.piece
        let around = max(segment.lowerBound, hour - 24)..<min(segment.upperBound, hour + 24)
        let (from, to) = (rest[around.lowerBound..<hour].median, rest[hour..<around.upperBound].median)
        func left(_ candidate: Int) -> Double {
            around.reduce(0) { sum, index in rest[index].isNaN ? sum : sum + abs(rest[index] - (index < candidate ? from : to)) }
        }
        let candidates = max(around.lowerBound + 1, hour - 12)...min(around.upperBound - 1, hour + 12)
        return candidates.min { (left($0), abs($0 - hour)) < (left($1), abs($1 - hour)) } ?? hour
    }
}
