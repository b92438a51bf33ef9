// What drawings are written with.

/// With at most one decimal, the same everywhere.
func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(sign)\(abs(tenths) / 10).\(abs(tenths) % 10)"
}

/// A text element.
func words(_ x: Double, _ y: Double, _ text: String, _ attributes: String) -> String {
    text.isEmpty ? "" : "<text x=\"\(number(x))\" y=\"\(number(y))\" xml:space=\"preserve\" \(attributes)>\(xml(text))</text>\n"
}
