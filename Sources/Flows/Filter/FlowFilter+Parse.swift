import NetworkTypes

extension FlowFilter {
    /// Reads a filter; an empty text matches everything.
    ///
    /// - Parameter prefixSets: the names that may follow `net @`: those of the policy that the filter belongs to.
    public init(parsing text: String, prefixSets: Set<String> = []) throws(FlowFilterError) {
        var parser = Parser(tokens: try FlowFilter.tokens(text), prefixSets: prefixSets)
        self.init(try parser.filter())
    }

    /// Recursive descent, one function a rule:
    ///
    ///     any       = all { ("or" | "||") all }
    ///     all       = single { ("and" | "&&") single }
    ///     single    = ("not" | "!") single | ("inner" | "outer") single | "(" any ")" | predicate
    struct Parser {
        let tokens: [Token]
        let prefixSets: Set<String>
        var at = 0
        var depth = 0

        init(tokens: [Token], prefixSets: Set<String>) {
            self.tokens = tokens
            self.prefixSets = prefixSets
        }

        var next: Token { tokens[at] }
        mutating func advance() { if at < tokens.count - 1 { at += 1 } }
        mutating func accept(_ kind: Token.Kind) -> Bool {
            guard next.kind == kind else { return false }
            advance()
            return true
        }
        mutating func accept(word: String) -> Bool {
            guard next.keyword == word else { return false }
            advance()
            return true
        }

        /// - Parameter back: which token is to blame, counted back from the next one.
        func error(_ problem: String, hint: String? = nil, back: Int = 0) -> FlowFilterError {
            let token = tokens[at - back]
            return FlowFilterError(
                column: token.column, found: token.kind == .end ? nil : token.text, problem: problem, hint: hint)
        }

        mutating func filter() throws(FlowFilterError) -> Expression? {
            if next.kind == .end { return nil }
            let expression = try any()
            switch next.kind {
            case .end: return expression
            case .close: throw error("a parenthesis is closed that was not opened", hint: nil)
            default: throw error("expected \"and\" or \"or\" before the next predicate", hint: hintForJoin())
            }
        }

        mutating func any() throws(FlowFilterError) -> Expression {
            var parts = [try all()]
            while accept(.or) { parts.append(try all()) }
            return parts.count == 1 ? parts[0] : .any(parts)
        }

        mutating func all() throws(FlowFilterError) -> Expression {
            var parts = [try single()]
            while accept(.and) { parts.append(try single()) }
            return parts.count == 1 ? parts[0] : .all(parts)
        }

        mutating func single() throws(FlowFilterError) -> Expression {
            guard depth < deepestNesting else { throw error("a filter may nest at most \(deepestNesting) deep") }
            depth += 1
            defer { depth -= 1 }
            if accept(.not) { return .not(try single()) }
            if accept(word: "inner") { return .layer(.inner, try single()) }
            if accept(word: "outer") { return .layer(.outer, try single()) }
            guard next.kind == .open else { return try predicate() }
            let opened = next
            advance()
            let expression = try any()
            guard accept(.close) else {
                if next.kind != .end { throw error("expected \"and\", \"or\" or \")\"", hint: hintForJoin()) }
                throw error("expected \")\"", hint: "the parenthesis at column \(opened.column) is not closed")
            }
            return expression
        }

        /// A hint for two predicates that stand side by side.
        private func hintForJoin() -> String? {
            guard at > 0, let word = next.keyword else { return nil }
            if predicateWords.contains(word) { return "join predicates with \"and\": … and \(word) …" }
            if tokens[at - 1].keyword == "host" || IPAddress(word) != nil { return "an address follows \"host\": host \(next.text)" }
            return Suggestion.nearest(to: word, among: connectives.union(predicateWords).sorted()).map { "did you mean \"\($0)\"?" }
        }
    }

    static let predicateWords: Set<String> = [
        "src", "dst", "host", "net", "port", "proto", "ether", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp", "interface",
        "ingress", "egress", "vlan", "vni", "vxlan", "dscp", "inner", "outer", "app",
    ]
}
