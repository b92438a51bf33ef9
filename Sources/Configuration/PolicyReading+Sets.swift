import NetworkTypes
import Policy

extension PolicyReading {
    /// So many problems of one list are told one by one.
    private static let mostListProblems = 20

    mutating func readSets() {
        var owners: [String: (file: Int, line: Int)] = [:]
        for file in files.indices {
            guard let node = files[file].sections["sets"] else { continue }
            guard case .mapping(let entries) = node.content else {
                files[file].decoder.report(node, "sets", "expected a mapping (name: [prefixes]), found \(node.kind)")
                continue
            }
            for entry in entries {
                let path = "sets.\(entry.key)"
                if let owner = owners[entry.key] {
                    files[file].decoder.report(
                        line: entry.line, path: path, "the set is already declared in \(files[owner.file].name):\(owner.line)")
                    continue
                }
                owners[entry.key] = (file, entry.line)
                let before = files[file].decoder.problems.count
                let prefixes = prefixes(entry.value, path, file)
                policy.prefixSets[entry.key] = prefixes
                sources[.set(entry.key)] = Source(
                    file: file, node: YAMLNode(content: .mapping([]), line: entry.line), path: path,
                    isFaulty: files[file].decoder.problems.count > before)
            }
        }
    }

    private mutating func prefixes(_ node: YAMLNode, _ path: String, _ file: Int) -> [IPPrefix] {
        if case .mapping = node.content {
            let values = files[file].decoder.mapping(node, path, keys: ["file"])
            guard let node = values["file"] else {
                files[file].decoder.report(node, path, "expected a list of prefixes, or {file: PATH}")
                return []
            }
            var name = ""
            files[file].decoder.path(node, "\(path).file", limit: 1024, into: &name)
            return name.isEmpty ? [] : listFile(name, node, "\(path).file", file)
        }
        var prefixes: [IPPrefix] = []
        files[file].decoder.list(node, path, into: &prefixes) { decoder, item, path in
            guard let text = decoder.text(item, path) else { return nil }
            let (prefix, reason, hint) = Self.prefix(text)
            if let reason { decoder.report(item, path, reason, hint: hint) }
            return prefix
        }
        return prefixes
    }

    /// One prefix or address a line; `#` starts a comment.
    private mutating func listFile(_ name: String, _ node: YAMLNode, _ path: String, _ file: Int) -> [IPPrefix] {
        let bytes: [UInt8]
        do { bytes = try readList.read(name) } catch {
            files[file].decoder.report(node, path, error.description)
            return []
        }
        var prefixes: [IPPrefix] = []
        var problems: [ConfigurationProblem] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 <= 0x20 }
            guard let first = words.first else { continue }
            let text = String(decoding: first, as: UTF8.self)
            var (prefix, reason, hint) = Self.prefix(text)
            if words.count > 1 { (prefix, reason, hint) = (nil, "more than one word in the line", "one prefix a line, # starts a comment") }
            if let prefix { prefixes.append(prefix) }
            if let reason { problems.append(.init(line: index + 1, keyPath: "", value: text, reason: reason, hint: hint)) }
        }
        if problems.count > Self.mostListProblems {
            let rest = problems.count - Self.mostListProblems
            problems.removeLast(rest)
            problems.append(.init(line: 0, keyPath: "", value: nil, reason: "\(rest) more lines are no prefixes", hint: nil))
        }
        if !problems.isEmpty { listErrors.append(ConfigurationError(file: name, problems: problems)) }
        return prefixes
    }

    /// A prefix; an address alone is one of its full length. Else why not.
    static func prefix(_ text: String) -> (IPPrefix?, reason: String?, hint: String?) {
        if let address = IPAddress(text) { return (IPPrefix(address, length: address.bitWidth), nil, nil) }
        do throws(IPPrefix.ParseError) { return (try IPPrefix(parsing: text), nil, nil) } catch {
            switch error {
            case .hostBits(let meant): return (nil, "has bits beyond its length", "did you mean \(meant)?")
            case .badLength: return (nil, "has no length of 0 to 32 (IPv4) or 0 to 128 (IPv6)", nil)
            case .notAnAddress: return (nil, "expected a prefix such as 192.0.2.0/24 or 2001:db8::/32", nil)
            }
        }
    }
}
