import Configuration
import NetworkTypes

/// The mistakes of a rule that was typed, not written: told by its options, as there is no file yet that could be looked at.
struct AddedRuleMistakes {
    var rule: String
    /// The one that it would stand in, as the mistakes have it.
    var file: String

    /// - Returns: the failure itself where other files have mistakes as well.
    func failure(_ failure: PolicyFile.Failure) -> any Error {
        guard failure.files.allSatisfy({ $0.file == file }) else {
            let others = failure.files.filter { $0.file != file }.map(\.description)
            let own = failure.files.filter { $0.file == file }.flatMap(\.problems).map { "rule \(rule): \(text($0))" }
            return AgentFailure("apply the policy", (own + others).map(withoutPlace).joined(separator: "\n"), hint: "nothing was changed")
        }
        let problems = failure.files.flatMap(\.problems)
        return AgentFailure(
            "add rule \(rule)", problems.map { withoutPlace(text($0)) }.joined(separator: "\n"),
            hint: problems.lazy.compactMap(\.hint).first)
    }

    private func text(_ problem: ConfigurationProblem) -> String {
        var shown = problem
        // `mirror[0].snap`
        let path = problem.keyPath.split(separator: ".", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
        shown.keyPath = ""
        return (path.isEmpty ? "" : option(path).visible(most: 200) + ": ") + shown.description
    }

    /// What a key is called on the command line.
    private func option(_ path: String) -> String {
        let key = path.prefix { $0 != "." && $0 != "[" }
        switch key {
        case "name": return "its name"
        case "match": return "its filter"
        case "ecn": return "--no-ecn"
        case "one-in" where path.hasSuffix(".flows"): return "--one-flow-in"
        case "one-in": return "--one-in"
        case "to": return "--to" + (path.count > 2 ? " (\(path.dropFirst(3)))" : "")
        default: return "--\(path)"
        }
    }

    /// Other rules' mistakes tell where this one stands: `(shape[0] in shape-web.yaml:3)`.
    private func withoutPlace(_ text: String) -> String {
        guard let place = text.firstRange(of: " in \(file):"), let start = text[..<place.lowerBound].lastIndex(of: "("),
            let end = text[place.upperBound...].firstIndex(of: ")")
        else { return text }
        return "\(text[..<start])(rule \(rule))\(text[text.index(after: end)...])"
    }
}
