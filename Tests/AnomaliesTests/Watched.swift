import Anomalies

/// A detector, and what it said.
struct Watched {
    static let step: Int64 = 300
    var detector = SeriesDetector()
    var scores: [Double] = []
    var began: [(index: Int, anomaly: Anomaly)] = []
    var ended: [(index: Int, anomaly: Anomaly)] = []

    init(_ values: [Double?], from first: Int64 = 1_700_006_400) {
        for (index, value) in values.enumerated() { take(detector.observe(value, at: first + Int64(index) * Self.step)) }
    }

    mutating func take(_ assessment: SeriesDetector.Assessment) {
        if let anomaly = assessment.began { began.append((scores.count, anomaly)) }
        if let anomaly = assessment.ended { ended.append((scores.count, anomaly)) }
        scores.append(assessment.score)
    }

    func time(_ index: Int) -> Int64 { 1_700_006_400 + Int64(index) * Self.step }
    var alerts: [Int] { scores.indices.filter { scores[$0] >= 0.5 } }

    /// The one that was over last among those that started within so many values of an index.
    func anomaly(near index: Int, within values: Int = 3) -> Anomaly? {
        ended.last { abs($0.anomaly.start - time(index)) <= Int64(values) * Self.step }?.anomaly
    }
}
