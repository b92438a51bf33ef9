import NetworkTypes

/// The words of a change's text, read from left to right.
struct ChangeWords {
    struct Word {
        var text: String
        var position: Int
    }
    private let words: [Word]
    private let end: Int
    private var next = 0

    init(_ text: String) {
        var words: [Word] = []
        var word = ""
        var start = 0
        var position = 0
        for character in text {
            if character.isWhitespace {
                if !word.isEmpty { words.append(Word(text: word, position: start)) }
                word = ""
            } else {
                if word.isEmpty { start = position }
                word.append(character)
            }
            position += 1
        }
        if !word.isEmpty { words.append(Word(text: word, position: start)) }
        self.words = words
        end = position
    }

    var peek: String? { next < words.count ? words[next].text : nil }

    /// What cannot be read here.
    func failure(_ expected: [String], candidates: [String] = [], back: Int = 0) -> ChangeSyntaxError {
        let index = next - back
        guard index < words.count else { return ChangeSyntaxError(position: end, found: nil, expected: expected) }
        let word = words[index]
        return ChangeSyntaxError(
            position: word.position, found: word.text, expected: expected, suggestion: Suggestion.nearest(to: word.text, among: candidates))
    }

    /// The next word if it is one of these; else it is left.
    mutating func take(_ choices: String...) -> Bool {
        guard let peek, choices.contains(peek) else { return false }
        next += 1
        return true
    }

    /// One of these words has to come.
    mutating func choice(_ choices: [String]) throws(ChangeSyntaxError) -> String {
        guard let peek, choices.contains(peek) else { throw failure(choices, candidates: choices) }
        next += 1
        return peek
    }

    /// Any word, called `what` in errors.
    mutating func word(_ what: String) throws(ChangeSyntaxError) -> String {
        guard let peek else { throw failure([what]) }
        next += 1
        return peek
    }

    /// A word that `read` understands.
    mutating func value<T>(_ what: String, _ read: (String) -> T?) throws(ChangeSyntaxError) -> T {
        guard let peek, let value = read(peek) else { throw failure([what]) }
        next += 1
        return value
    }

    /// The words up to the last one, of which there have to be some, and where they begin.
    mutating func allButLast(_ what: String) throws(ChangeSyntaxError) -> (text: String, position: Int) {
        guard next + 1 < words.count else { throw failure([what]) }
        defer { next = words.count - 1 }
        return (words[next..<words.count - 1].map(\.text).joined(separator: " "), words[next].position)
    }

    func atEnd() throws(ChangeSyntaxError) {
        if next < words.count { throw failure(["the end"]) }
    }

    mutating func link() throws(ChangeSyntaxError) -> LinkName {
        try value("an interface ([NODE:]NAME)") { word in
            let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.contains(where: \.isEmpty) { return nil }
            return parts.count == 2 ? LinkName(namespace: String(parts[0]), name: String(parts[1])) : LinkName(name: word)
        }
    }

    mutating func address() throws(ChangeSyntaxError) -> IPAddress { try value("an address") { IPAddress($0) } }

    mutating func number<T: FixedWidthInteger>(_ what: String, _ range: ClosedRange<T>) throws(ChangeSyntaxError) -> T {
        try value("\(what) (\(range.lowerBound) to \(range.upperBound))") { word in
            let value = word.hasPrefix("0x") ? T(word.dropFirst(2), radix: 16) : T(word)
            return value.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A prefix; a bare address stands for itself alone.
    mutating func prefix() throws(ChangeSyntaxError) -> IPPrefix {
        guard let peek else { throw failure(["a prefix (10.0.0.0/8)"]) }
        if let address = IPAddress(peek), let whole = IPPrefix(address, length: address.bitWidth) {
            next += 1
            return whole
        }
        do {
            let prefix = try IPPrefix(parsing: peek)
            next += 1
            return prefix
        } catch .hostBits(let meant) {
            var error = failure(["a prefix without bits beyond its length"])
            error.suggestion = meant.description
            throw error
        } catch {
            throw failure(["a prefix (10.0.0.0/8)"])
        }
    }

    mutating func table() throws(ChangeSyntaxError) -> UInt32 {
        try value("a table (number, main, local or default)") { word in
            ["main": 254, "local": 255, "default": 253][word] ?? UInt32(word)
        }
    }
}

/// Rates as tc(8) writes them, `/s` allowed: `100Mbit`, `1.5Gbit/s`, `800kb/s` is not taken (bits or bytes?).
enum RateText {
    static func parse(_ text: some StringProtocol) -> BitRate? {
        var word = text.lowercased()
        if word.hasSuffix("/s") { word.removeLast(2) } else if word.hasSuffix("ps") { word.removeLast(2) }
        guard word.hasSuffix("bit") else { return nil }
        word.removeLast(3)
        var factor = 1.0
        if let last = word.last, let power = ["k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12][last] {
            factor = power
            word.removeLast()
        }
        // A thousand terabits: beyond any link, and far from where numbers end.
        guard let value = Double(word), value * factor <= 1e15, value >= 0, word.first != "+" else { return nil }
        return BitRate(bitsPerSecond: value * factor)
    }
}
