import API
import NetworkTypes

/// The query of one request, taken value by value. What is not understood is a fault with its name: nothing is passed over in silence.
struct ControlQuery {
    /// What is wrong with one field, as the answer tells it.
    struct Fault: Error {
        var field: String
        /// nil when the field itself is wrong.
        var value: String?
        var reason: String
        var hint: String?

        var response: ControlResponse { .badValue(field: field, value: value, reason: reason, hint: hint) }
    }

    private let values: [String: String]

    /// - Parameter names: the fields that the route has.
    init(_ request: ControlRequest, names: [String]) throws(Fault) {
        if let unknown = request.query.keys.filter({ !names.contains($0) }).min() {
            let near = Suggestion.nearest(to: unknown, among: names).map { "did you mean \($0)?" }
            let all = names.isEmpty ? "\(request.path) takes no query" : "\(request.path) takes \(names.joined(separator: ", "))"
            throw Fault(field: unknown, value: nil, reason: "there is no such field", hint: near ?? all)
        }
        if let twice = request.repeated.min() { throw Fault(field: twice, value: nil, reason: "it is given more than once") }
        values = request.query
    }

    func text(_ name: String) -> String? { values[name] }

    /// `0` or `1`; without a value `0`.
    func flag(_ name: String) throws(Fault) -> Bool {
        switch values[name] {
        case nil, "0": return false
        case "1": return true
        case let value?: throw Fault(field: name, value: value, reason: "it is 0 or 1")
        }
    }

    func number(_ name: String, in range: ClosedRange<Int>, standard: Int) throws(Fault) -> Int {
        guard let text = values[name] else { return standard }
        // Int takes a sign too, which no field has.
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), range.contains(number) else {
            throw Fault(field: name, value: text, reason: "it is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// RFC 3339; nil when it is not given.
    /// - Parameter roundedUp: see `Timestamp.init(rfc3339:roundedUp:)`.
    func moment(_ name: String, roundedUp: Bool) throws(Fault) -> Timestamp? {
        guard let text = values[name] else { return nil }
        guard let moment = Timestamp(rfc3339: text, roundedUp: roundedUp) else {
            throw Fault(field: name, value: text, reason: "it is a moment such as 2026-03-01T12:00:00Z (RFC 3339)")
        }
        return moment
    }

    /// `from` and `to`; without them the hour that ends now.
    func span() throws(Fault) -> (from: Timestamp, to: Timestamp) {
        let to = try moment("to", roundedUp: true) ?? .now
        let from = try moment("from", roundedUp: false) ?? Timestamp(nanoseconds: to.nanoseconds - 3_600_000_000_000)
        guard from <= to else { throw Fault(field: "from", value: text("from"), reason: "it is later than to") }
        return (from, to)
    }

    func choice<T: RawRepresentable & CaseIterable>(_ name: String, standard: T) throws(Fault) -> T where T.RawValue == String {
        guard let text = values[name] else { return standard }
        guard let value = T(rawValue: text) else {
            let all = T.allCases.map(\.rawValue)
            throw Fault(
                field: name, value: text, reason: "it is one of \(all.joined(separator: ", "))",
                hint: Suggestion.nearest(to: text, among: all).map { "did you mean \($0)?" })
        }
        return value
    }
}
