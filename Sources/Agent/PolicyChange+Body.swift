import FoundationEssentials
import NetworkTypes
import Policy
import Reports

extension PolicyChange {
    /// The members of a request's body, and what each is to be.
    private static let members = [
        ("put", "an object of file names and their texts"), ("remove", "a list of file names"),
        ("addRule", "the name of a rule, a string"), ("removeRule", "the name of a rule, a string"),
        ("removeKind", "mirror, sample or shape"), ("replace", "true or false"), ("confirmWithinSeconds", "a number of seconds"),
        ("dryRun", "true or false"),
    ]
    private static let confirmBounds = 1.0...86400

    /// From the body of a request: a JSON object (RFC 8259). What is wrong is told by the key it is wrong at.
    init(body: [UInt8]) throws(ControlQuery.Fault) {
        let data = Data(body)
        func fault(_ reason: String) -> ControlQuery.Fault {
            .init(
                field: "body", value: "\(body.count) bytes", reason: reason,
                hint: "its members: \(Self.members.map(\.0).joined(separator: ", "))")
        }
        // In another encoding than UTF-8 what is given twice would not be found.
        guard !body.contains(0) else { throw fault("it is no JSON text") }
        let given: MemberNames
        do { given = try JSONDecoder().decode(MemberNames.self, from: data) } catch DecodingError.dataCorrupted {
            throw fault("it is no JSON text")
        } catch { throw fault("it is to be a JSON object") }
        let known = Self.members.map(\.0)
        if let unknown = given.names.filter({ !known.contains($0) }).min() {
            let near = Suggestion.nearest(to: unknown, among: known).map { "did you mean \($0)?" }
            throw .init(field: unknown, reason: "there is no such member", hint: near ?? "there is \(known.joined(separator: ", "))")
        }
        if let twice = RepeatedMember.find(in: body) { throw .init(field: twice, reason: "it is given more than once") }
        do { self = try JSONDecoder().decode(PolicyChange.self, from: data) } catch let error as DecodingError {
            throw Self.fault(error)
        } catch { throw fault("it is no JSON text") }
        if let both = remove.filter({ put[$0] != nil }).min() {
            throw .init(field: "remove", value: both, reason: "the same file is in put", hint: "a file is put there or removed, not both")
        }
        if let kind = removeKind, RuleKind(rawValue: kind) == nil {
            throw .init(field: "removeKind", value: kind, reason: "it is to be mirror, sample or shape")
        }
        if let seconds = confirmWithinSeconds, !Self.confirmBounds.contains(seconds) {
            throw .init(field: "confirmWithinSeconds", value: "\(seconds)", reason: "it is to be from 1 to 86400 seconds")
        }
    }

    private static func fault(_ error: DecodingError) -> ControlQuery.Fault {
        switch error {
        case .keyNotFound(let key, let context):
            let path = context.codingPath + [key]
            return .init(field: text(path), reason: "it is missing; it is to be \(wanted(at: path))")
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return .init(field: text(context.codingPath), reason: "it is to be \(wanted(at: context.codingPath))")
        @unknown default: return .init(field: "body", reason: "it is no policy change")
        }
    }

    /// `put.web.yaml`, `remove[2]`.
    private static func text(_ path: [any CodingKey]) -> String {
        path.enumerated().map { index, key in key.intValue.map { "[\($0)]" } ?? (index == 0 ? "" : ".") + key.stringValue }.joined()
    }

    private static func wanted(at path: [any CodingKey]) -> String {
        switch (path.first?.stringValue, path.count) {
        case ("put", 2...): "the text of a file, a string"
        case ("remove", 2...): "the name of a file, a string"
        case (let name, _): members.first { $0.0 == name }?.1 ?? "another value"
        }
    }

    /// What an object has, whatever its values are.
    private struct MemberNames: Decodable {
        struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        var names: [String]
        init(from decoder: any Decoder) throws { names = try decoder.container(keyedBy: Key.self).allKeys.map(\.stringValue) }
    }
}
