/// A series as a line of blocks, eight heights.
public enum Sparkline {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// The last `width` values, oldest first; blanks on the left where there are fewer. Scaled from zero to `ceiling`, or to the largest
    /// value shown. Only zero (and what is not a number) has the lowest block, so that a little is seen to differ from nothing.
    public static func text(_ values: some BidirectionalCollection<Double>, width: Int, ceiling: Double? = nil) -> String {
        guard width > 0 else { return "" }
        let shown = values.suffix(width)
        let top = ceiling ?? shown.filter(\.isFinite).max() ?? 0
        var line = String(repeating: " ", count: width - shown.count)
        for value in shown {
            guard value > 0, top > 0 else {
                line.append(blocks[0])
                continue
            }
            let part = min(1, value / top)
            line.append(blocks[max(1, min(7, Int((part * 7).rounded(.up))))])
        }
        return line
    }
}
