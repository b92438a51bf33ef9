/// What has been the most lately: a maximum that fades by half in ten minutes.
struct Envelope {
    private(set) var value = 0.0
    /// Seconds that it has learnt from.
    private(set) var learnt = 0.0

    /// 2^(-1/600): of a second.
    private static let fading = 0.998_845_4

    mutating func learn(_ most: Double, over seconds: Double) {
        learnt += seconds
        // Time that was missed fades no more than a minute's worth: there was nothing to be seen in it.
        for _ in 0..<min(60, max(1, Int(seconds.rounded()))) { value *= Self.fading }
        value = max(value, most)
    }
}
