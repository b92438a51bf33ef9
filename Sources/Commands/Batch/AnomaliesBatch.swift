import Anomalies
import FoundationEssentials
import Glibc
import NetworkTypes

/// `nilo anomalies --batch`: scores the values of series in files.
public struct AnomaliesBatch: Hashable, Sendable {
    public var folder: String
    public var out: String

    private static let purpose = "score the series"

    func run(_ context: CommandContext) throws {
        if let place = Self.place(of: folder), place == Self.place(of: out) {
            throw CommandFailure(Self.purpose, "--out \(out) is the folder of the series: their values would be lost", code: .usage)
        }
        var isEmpty = true
        for category in try Self.entries(of: folder, folders: true) {
            for file in try Self.entries(of: "\(folder)/\(category)", folders: false) {
                isEmpty = false
                let name = "\(category)/\(file)"
                let observations = try Self.observations(in: SeriesFile("\(folder)/\(name)", for: Self.purpose))
                let (scores, anomalies) = Self.scores(of: observations)
                try write(scores, category, file)
                for anomaly in anomalies { try context.write(Self.line(name, anomaly)) }
            }
        }
        if isEmpty {
            throw CommandFailure(Self.purpose, "there is no file \(folder)/CATEGORY/FILE.csv", hint: "nilo help anomalies tells more")
        }
    }

    /// nil: nothing is there.
    private static func place(of path: String) -> String? {
        guard let place = realpath(path, nil) else { return nil }
        defer { free(place) }
        return String(cString: place)
    }

    private static func scores(of observations: [(seconds: Int64, value: Double?)]) -> (text: String, anomalies: [Anomaly]) {
        var detector = SeriesDetector()
        var text = ""
        var anomalies: [Anomaly] = []
        for (seconds, value) in observations {
            let assessment = detector.observe(value, at: seconds)
            text += "\(assessment.score)\n"
            if let anomaly = assessment.ended { anomalies.append(anomaly) }
        }
        return (text, anomalies + (detector.current.map { [$0] } ?? []))
    }

    /// `FILE: spike from 2026-03-01T12:00:00Z …`.
    private static func line(_ name: String, _ anomaly: Anomaly) -> String {
        func time(_ seconds: Int64) -> String { "\(Timestamp(nanoseconds: seconds * 1_000_000_000))" }
        let end = anomaly.end.map { " to \(time($0))" } ?? ", which goes on"
        let expected = anomaly.expected.map { ", where \(significant($0.low)) to \(significant($0.high)) was expected" } ?? ""
        let extreme = anomaly.extreme.map { ": \(significant($0))" } ?? ""
        return "\(name): \(anomaly.kind.rawValue) from \(time(anomaly.start))\(end)\(extreme)\(expected)".visible + "\n"
    }

    private static func observations(in file: SeriesFile) throws(CommandFailure) -> [(seconds: Int64, value: Double?)] {
        var observations: [(Int64, Double?)] = []
        for (number, row) in file.rows.enumerated() {
            let cells = SeriesFile.cells(row)
            guard cells.count == 2, let seconds = Int64(cells[0]), abs(seconds) < 1 << 33 else {
                throw file.failure(purpose, number, "\"\(String(row).visible(most: 60))\" is not SECONDS,VALUE")
            }
            let text = cells[1].filter { !$0.isWhitespace }
            let value = Double(text)
            guard text.isEmpty || value != nil else {
                throw file.failure(purpose, number, "\"\(text.visible(most: 40))\" is no number")
            }
            observations.append((seconds, value))
        }
        return observations
    }

    /// By name; what begins with a dot is passed over.
    private static func entries(of folder: String, folders: Bool) throws(CommandFailure) -> [String] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw CommandFailure(purpose, "\(folder): \(SeriesFile.reason(error))")
        }
        return names.filter { name in
            var isFolder = false
            guard !name.hasPrefix("."), FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder) else {
                return false
            }
            return isFolder == folders && (folders || name.hasSuffix(".csv"))
        }.sorted()
    }

    private func write(_ text: String, _ category: String, _ file: String) throws(CommandFailure) {
        do {
            try FileManager.default.createDirectory(atPath: "\(out)/\(category)", withIntermediateDirectories: true)
            try text.write(toFile: "\(out)/\(category)/\(file)", atomically: true, encoding: .utf8)
        } catch { throw CommandFailure("write the scores", "\(out)/\(category)/\(file): \(SeriesFile.reason(error))") }
    }
}
