import NetworkTypes
import Reports

/// A forecast as a picture (SVG 1.1): the past as a line over the bands that were forecast for it, the future as a fan of nested bands.
/// Light ground, no script, nothing from elsewhere.
struct ForecastSVG {
    let report: ForecastReport

    init(_ report: ForecastReport) { self.report = report }

    // Points.
    private static let width = 900.0
    private static let plotHeight = 220.0
    private static let left = 84.0
    private static let right = 20.0
    private static let top = 44.0
    private static let bottom = 34.0

    /// Widest first: 5 to 95 %, 10 to 90 %, … as places in the levels.
    private static let bands = [(0, 10), (1, 9), (2, 8), (3, 7), (4, 6)]

    var text: String {
        let panel = Self.top + Self.plotHeight + Self.bottom
        // Of two directions one may have nothing at all.
        let busy = report.directions.filter { ($0.past.compactMap { $0 } + ($0.quantiles ?? []).map { $0[10] }).contains { $0 > 0 } }
        let shown = busy.isEmpty ? report.directions : busy
        let height = panel * Double(shown.count)
        let panels = shown.enumerated().map { drawn($0.element, at: panel * Double($0.offset)) }.joined()
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(number(Self.width))" height="\(number(height))" \
            viewBox="0 0 \(number(Self.width)) \(number(height))" \
            font-family="Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif" font-size="11">
            <title>Forecast of \(xml(report.name)) from \(xml(report.from))</title>
            <rect width="100%" height="100%" fill="#fbfbf9"/>
            \(panels)</svg>

            """
    }

    private struct Scale {
        var past: Int
        var future: Int
        var most: Double
        var y: Double

        private var plotWidth: Double { ForecastSVG.width - ForecastSVG.left - ForecastSVG.right }
        /// Steps after the last one that was measured; negative ones are past.
        func x(_ step: Int) -> Double { x(Double(step)) }
        func x(_ step: Double) -> Double { ForecastSVG.left + (step + Double(past)) / Double(max(1, past + future)) * plotWidth }
        func y(_ value: Double) -> Double {
            y + ForecastSVG.top + ForecastSVG.plotHeight * (1 - (most > 0 ? min(1, max(0, value / most)) : 0))
        }
    }

    private func drawn(_ direction: ForecastReport.Direction, at y: Double) -> String {
        let quantiles = direction.quantiles ?? []
        let unit = UnitText(unit: report.unit, numbers: .short)
        let earlier = direction.earlier.flatMap(\.bands).map(\.high)
        let most = (direction.past.compactMap { $0 } + quantiles.map { $0[10] } + earlier).max() ?? 0
        let values = ChartAxis.values(upTo: most)
        let scale = Scale(past: direction.past.count, future: quantiles.count, most: values.last ?? 0, y: y)
        let name = direction.direction.isEmpty ? report.name : "\(report.name) \(direction.direction.replacing("-", with: " "))"
        var text = words(Self.left, y + 24, name, "font-weight=\"600\" font-size=\"14\" fill=\"#1d2329\"")
        if let abstention = direction.abstention {
            text += words(Self.left, y + 40, "no forecast: \(abstention)", "fill=\"#c0392b\"")
        } else if let score = direction.accuracy.first(where: { $0.leadSeconds > report.stepSeconds }) ?? direction.accuracy.first {
            let told = "\(Duration.seconds(score.leadSeconds).plain) ahead lately: \(percent(score.within90)) within 5 to 95 %"
            text += words(Self.width - Self.right, y + 24, told, "text-anchor=\"end\" fill=\"#4a5560\"")
        }
        text += legend(direction.earlier, y + 38) + grid(scale, values, unit)
        for one in direction.earlier.sorted(by: { $0.leadSeconds > $1.leadSeconds }) { text += band(one, scale) }
        return text + fan(quantiles, scale) + line(direction.past, scale)
    }

    private func legend(_ earlier: [ForecastReport.Earlier], _ y: Double) -> String {
        earlier.filter { !$0.bands.isEmpty }.enumerated().map { place, one in
            words(
                Self.width - Self.right - Double(place) * 150, y, "■ forecast \(Duration.seconds(one.leadSeconds).plain) before",
                "text-anchor=\"end\" fill=\"\(colour(one))\"")
        }.joined()
    }

    private func colour(_ earlier: ForecastReport.Earlier) -> String {
        earlier.leadSeconds > 12 * report.stepSeconds ? "#cc79a7" : "#e69f00"
    }

    private func grid(_ scale: Scale, _ values: [Double], _ unit: UnitText) -> String {
        var text = ""
        for value in values {
            let y = scale.y(value)
            text += "<path d=\"M\(number(Self.left)) \(number(y))H\(number(Self.width - Self.right))\" stroke=\"#e6e4de\"/>\n"
            text += words(Self.left - 8, y + 4, unit.text(value), "text-anchor=\"end\" fill=\"#6a737d\"")
        }
        return text + times(scale)
    }

    /// Marks on round times, and what time it is known up to.
    private func times(_ scale: Scale) -> String {
        guard let from = Timestamp(rfc3339: report.from) else { return "" }
        let (start, step) = (from.nanoseconds / 1_000_000_000, Int64(report.stepSeconds))
        func x(_ at: Int64) -> Double { scale.x(Double(at - start) / Double(step)) }
        let y = scale.y + Self.top + Self.plotHeight
        let now = x(start)
        var text = ""
        for mark in ChartAxis.times(from: start - Int64(scale.past) * step, to: start + Int64(scale.future) * step, most: 10) {
            let at = number(x(mark.at))
            text += "<path d=\"M\(at) \(number(y))v4\" stroke=\"#8a929b\"/>\n"
            // The words of the middle stand there.
            guard abs(x(mark.at) - now) > 60 else { continue }
            text += words(x(mark.at), y + 16, mark.text, "text-anchor=\"middle\" fill=\"#6a737d\"")
        }
        text += "<path d=\"M\(number(now)) \(number(scale.y + Self.top))V\(number(y))\" stroke=\"#8a929b\" stroke-dasharray=\"3 3\"/>\n"
        return text + words(now, y + 16, MomentText.local(from.description, beside: from), "text-anchor=\"middle\" fill=\"#1d2329\"")
    }

    private func fan(_ quantiles: [[Double]], _ scale: Scale) -> String {
        guard !quantiles.isEmpty else { return "" }
        func x(_ index: Int) -> String { number(scale.x(index + 1)) }
        var text = ""
        for (low, high) in Self.bands {
            let up = quantiles.indices.map { "\(x($0)) \(number(scale.y(quantiles[$0][high])))" }
            let down = quantiles.indices.reversed().map { "\(x($0)) \(number(scale.y(quantiles[$0][low])))" }
            text += "<path d=\"M\((up + down).joined(separator: "L"))Z\" fill=\"#0072b2\" fill-opacity=\"0.16\"/>\n"
        }
        let middle = quantiles.indices.map { "\(x($0)) \(number(scale.y(quantiles[$0][5])))" }
        return text + "<path d=\"M\(middle.joined(separator: "L"))\" fill=\"none\" stroke=\"#0072b2\" stroke-width=\"1.8\"/>\n"
    }

    private func line(_ past: [Double?], _ scale: Scale) -> String {
        var path = ""
        var isPen = false
        for (index, value) in past.enumerated() {
            if let value {
                // One that is alone is a dot.
                let isAlone = !isPen && (index + 1 == past.count || past[index + 1] == nil)
                path += "\(isPen ? "L" : "M")\(number(scale.x(index - past.count + 1))) \(number(scale.y(value)))\(isAlone ? "h1" : "")"
            }
            isPen = value != nil
        }
        return path.isEmpty ? "" : "<path d=\"\(path)\" fill=\"none\" stroke=\"#1d2329\" stroke-width=\"1.2\"/>\n"
    }

    /// Bands further apart than this many steps are no course: each is drawn by itself.
    private static let course = 2

    /// What was forecast before: a veil where it was for step after step; of what was kept now and then each is a staff with its median.
    private func band(_ earlier: ForecastReport.Earlier, _ scale: Scale) -> String {
        let bands = earlier.bands.filter { $0.stepsAgo <= scale.past }.sorted { $0.stepsAgo > $1.stepsAgo }
        guard !bands.isEmpty else { return "" }
        func x(_ band: ForecastReport.Earlier.Band) -> Double { scale.x(1 - band.stepsAgo) }
        let colour = colour(earlier)
        var parts: [[ForecastReport.Earlier.Band]] = []
        for band in bands {
            if let last = parts.last?.last, last.stepsAgo - band.stepsAgo <= Self.course {
                parts[parts.count - 1].append(band)
            } else {
                parts.append([band])
            }
        }
        let drawn = parts.map { part -> String in
            guard part.count > 1 else {
                let staff = "M\(number(x(part[0]))) \(number(scale.y(part[0].low)))V\(number(scale.y(part[0].high)))"
                let tick = "M\(number(x(part[0]) - 2)) \(number(scale.y(part[0].median)))h4"
                return "<path d=\"\(staff)\(tick)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\"/>\n"
            }
            let up = part.map { "\(number(x($0))) \(number(scale.y($0.high)))" }
            let down = part.reversed().map { "\(number(x($0))) \(number(scale.y($0.low)))" }
            return "<path d=\"M\((up + down).joined(separator: "L"))Z\" fill=\"\(colour)\" fill-opacity=\"0.25\"/>\n"
        }
        let title = "what was forecast \(Duration.seconds(earlier.leadSeconds).plain) before: 5 to 95 %"
        return "<g><title>\(xml(title))</title>\n\(drawn.joined())</g>\n"
    }
}
