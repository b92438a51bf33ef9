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

    /// `tried in vain 1000 (984 to 1016), attempts 1000, most at 10.0.0.1`, with where an estimate lies.
    var words: String {
        let numbers = evidence.map { one in
            let range = one.low == one.high ? "" : " (\(one.text(one.low)) to \(one.text(one.high)))"
            return "\(one.name) \(one.text(one.value))\(range)"
        }
        // Of a heavy hitter it is the source, which is known.
        guard kind != .heavyHitter else { return numbers.joined(separator: ", ") }
        let hosts = contributors.compactMap(\.address).prefix(Self.told).map { "\($0)" }
        let ports = contributors.compactMap(\.port).prefix(Self.told).map { "\($0)" }
        let most =
            (hosts.isEmpty ? [] : ["most at \(hosts.joined(separator: " "))"])
            + (ports.isEmpty ? [] : ["most at port \(ports.joined(separator: " "))"])
        return (numbers + most).joined(separator: ", ")
    }

    /// Of those that have part in it.
    private static let told = 3

    var relations: IncidentBook.Relations { .init(ofSuspicion: key) }
}

extension IncidentBook.Relations {
    /// Of what packets gave away: the hosts that its key names.
    init(ofSuspicion key: String) {
        let ends = key.drop { $0 != "/" }.dropFirst().prefix { $0 != "@" }.split(separator: ">")
        self.init(subject: key, anchors: Set(ends.compactMap { IPAddress(String($0)) }.map { "\($0)" }), unit: "")
    }
}

extension Suspicion.Evidence {
    /// One of its numbers, with its unit.
    fileprivate func text(_ value: Double) -> String {
        switch form {
        case .count: "\(Int64(min(value, 1e18).rounded()))"
        case .rate: BitRate(bitsPerSecond: 8 * value).description
        case .share: "\(Int64((100 * value).rounded())) %"
        }
    }
}
