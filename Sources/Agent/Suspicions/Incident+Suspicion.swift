import Foresight
import NetworkTypes
import Suspicions

// What the packets themselves gave away, among the incidents.

extension Incident.Member {
    init(_ suspicion: Suspicion) {
        self.init(
            key: suspicion.key, kind: suspicion.kind.rawValue, start: suspicion.start.nanoseconds / 1_000_000_000,
            end: suspicion.phase == .ended ? suspicion.last.nanoseconds / 1_000_000_000 : nil, probability: 0.99, unlikelihood: 10,
            evidence: suspicion.words)
    }
}

extension Suspicion {
    /// `port-scan/10.0.0.9>10.0.0.1`: the same from its beginning to its end, and of the next one of the same.
    fileprivate var key: String {
        let ends = [subject.source.map { "\($0)" }, subject.destination.map { ">\($0)" }].compactMap { $0 }.joined()
        return "\(kind.rawValue)/\(ends)\(subject.counted?.rawValue ?? "")\(subject.vni.map { "@vni\($0)" } ?? "")"
    }

    /// `distinct ports 1000, attempts 1024`, with where an estimate lies.
    fileprivate var words: String {
        evidence.map { one in
            let range = one.low == one.high ? "" : " (\(Self.number(one.low)) to \(Self.number(one.high)))"
            return "\(one.name) \(Self.number(one.value))\(range)"
        }.joined(separator: ", ")
    }

    private static func number(_ value: Double) -> String {
        abs(value) >= 10 ? "\(Int64(min(value, 1e18).rounded()))" : "\((value * 100).rounded() / 100)"
    }

    var relations: IncidentBook.Relations {
        let anchors = [subject.source, subject.destination].compactMap { $0 }.map { "\($0)" }
        return .init(subject: key, anchors: Set(anchors), unit: "")
    }
}
