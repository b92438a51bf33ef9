/// Walks the document against the schema and gathers every problem; a value with a problem keeps its default.
struct ConfigurationDecoder {
    private(set) var problems: [ConfigurationProblem] = []
    /// Key paths of values that were not read, or are missing. Not those of keys that are unknown or given twice: what the others say is
    /// whole without them.
    private(set) var faults: [String] = []

    mutating func report(_ node: YAMLNode, _ path: String, _ reason: String, hint: String? = nil) {
        var value: String?
        if case .scalar(let text, _) = node.content { value = text }
        problems.append(.init(line: node.line, keyPath: path, value: value, reason: reason, hint: hint))
        faults.append(path)
    }

    /// A problem that belongs to a line rather than a value.
    mutating func report(line: Int, path: String = "", _ reason: String, hint: String? = nil) {
        problems.append(.init(line: line, keyPath: path, value: nil, reason: reason, hint: hint))
        faults.append(path)
    }

    /// A value that should be there is not; the problem belongs to `node`, which should have it.
    mutating func reportMissing(_ key: String, in node: YAMLNode, _ path: String) {
        problems.append(.init(line: node.line, keyPath: path, value: nil, reason: "has no \(key)", hint: "add \(key):"))
        faults.append("\(path).\(key)")
    }

    /// What was said of a value leaves it unknown.
    mutating func leftUnread(_ path: String) { faults.append(path) }

    /// The values of a mapping by key, the known ones once each. A null is left out, so its default stays.
    mutating func mapping(_ node: YAMLNode, _ path: String, keys: [String]) -> [String: YAMLNode] {
        if node.isNull { return [:] }
        guard case .mapping(let entries) = node.content else {
            report(node, path, "expected a mapping (key: value), found \(node.kind)")
            return [:]
        }
        var values: [String: YAMLNode] = [:]
        var lines: [String: Int] = [:]
        for entry in entries {
            let at = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            if let first = lines[entry.key] {
                problems.append(
                    .init(line: entry.line, keyPath: at, value: nil, reason: "the key was already given in line \(first)", hint: nil))
            } else if !keys.contains(entry.key) {
                let hint =
                    closest(to: entry.key, among: keys).map { "did you mean \"\($0)\"?" } ?? "known keys: \(keys.joined(separator: ", "))"
                problems.append(.init(line: entry.line, keyPath: at, value: nil, reason: "unknown key", hint: hint))
            } else if !entry.value.isNull {
                values[entry.key] = entry.value
            }
            lines[entry.key] = lines[entry.key] ?? entry.line
        }
        return values
    }

    /// The text of a scalar.
    mutating func text(_ node: YAMLNode, _ path: String) -> String? {
        guard case .scalar(let text, _) = node.content else {
            report(node, path, "expected one value, found \(node.kind)")
            return nil
        }
        guard !text.utf8.contains(0) else {
            report(node, path, "holds a NUL byte")
            return nil
        }
        return text
    }

    /// A list of values, each converted by `convert`; one value alone stands for a list of one.
    mutating func list<T>(_ node: YAMLNode, _ path: String, into target: inout [T], _ convert: (inout Self, YAMLNode, String) -> T?) {
        switch node.content {
        case .sequence(let items):
            target = []
            for (index, item) in items.enumerated() {
                if let value = convert(&self, item, "\(path)[\(index)]") { target.append(value) }
            }
        case .scalar:
            if let value = convert(&self, node, path) { target = [value] }
        case .mapping: report(node, path, "expected a list, found \(node.kind)")
        }
    }

    mutating func parsed<T>(_ node: YAMLNode, _ path: String, expected: String, _ parse: (String) -> T?) -> T? {
        guard let text = text(node, path) else { return nil }
        guard let value = parse(text) else {
            report(node, path, "expected \(expected)")
            return nil
        }
        return value
    }

    mutating func choice<T: RawRepresentable & CaseIterable>(_ node: YAMLNode?, _ path: String, into target: inout T)
    where T.RawValue == String {
        guard let node, let text = text(node, path) else { return }
        if let value = T(rawValue: text) {
            target = value
            return
        }
        let names = T.allCases.map(\.rawValue)
        let hint = closest(to: text, among: names).map { "did you mean \"\($0)\"?" }
        report(node, path, "expected one of \(names.joined(separator: ", "))", hint: hint)
    }

    mutating func flag(_ node: YAMLNode?, _ path: String, into target: inout Bool) {
        guard let node, let text = text(node, path) else { return }
        switch text {
        case "true", "yes", "on": target = true
        case "false", "no", "off": target = false
        default: report(node, path, "expected true or false")
        }
    }

    mutating func integer(_ node: YAMLNode?, _ path: String, in bounds: ClosedRange<Int>, into target: inout Int) {
        guard let node, let value = parsed(node, path, expected: "a whole number such as 262144 or 256Ki", parseCount) else { return }
        guard bounds.contains(value) else {
            report(node, path, "out of range: must be \(bounds.lowerBound) to \(bounds.upperBound)")
            return
        }
        target = value
    }

    mutating func duration(_ node: YAMLNode?, _ path: String, in bounds: ClosedRange<Duration>, into target: inout Duration) {
        guard let node else { return }
        let expected = "a duration with its unit, such as 500ms, 30s, 5m or 1h"
        guard let value = parsed(node, path, expected: expected, parseDuration) else { return }
        guard bounds.contains(value) else {
            report(node, path, "out of range: must be \(render(bounds.lowerBound)) to \(render(bounds.upperBound))")
            return
        }
        target = value
    }

    /// An absolute path; one of a socket fits `sockaddr_un` (107 bytes, unix(7)).
    mutating func path(_ node: YAMLNode?, _ path: String, limit: Int = 107, into target: inout String) {
        guard let node, let text = text(node, path) else { return }
        guard text.hasPrefix("/"), text.utf8.count <= limit else {
            report(node, path, "expected an absolute path of at most \(limit) bytes")
            return
        }
        target = text
    }

    /// A group's name as groupadd(8) takes it.
    mutating func group(_ node: YAMLNode?, _ path: String, into target: inout String) {
        guard let node, let text = text(node, path) else { return }
        let extra: Set<UInt8> = [0x2d, 0x2e, 0x5f, 0x24]  // - . _ $
        let plain = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & 0xdf) || extra.contains($0) }
        guard !text.isEmpty, text.utf8.count <= 32, plain, text.utf8.first != 0x2d else {
            report(node, path, "expected the name of a group")
            return
        }
        target = text
    }
}

/// A count with an optional factor: k M G (powers of 1000), Ki Mi Gi (powers of 1024).
func parseCount(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    let factors = ["": 1, "k": 1000, "M": 1_000_000, "G": 1_000_000_000, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30]
    guard let factor = factors[String(text.dropFirst(digits.count))] else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
}

/// Milliseconds of each unit, longest first, as ``render(_:)`` tries them.
private let durationUnits: [(name: String, milliseconds: Int64)] = [("h", 3_600_000), ("m", 60000), ("s", 1000), ("ms", 1)]

func parseDuration(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let name = text.dropFirst(digits.count)
    guard let number = Int64(digits), let unit = durationUnits.first(where: { $0.name == name }) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
    // Far more than any bound, and far from what Duration can hold.
    guard !overflow, product < 1 << 50 else { return nil }
    return .milliseconds(product)
}

/// The shortest form that reads back as the same duration, at a millisecond's resolution: 300 s is `5m`.
func render(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    let unit = durationUnits.first { milliseconds >= $0.milliseconds && milliseconds % $0.milliseconds == 0 } ?? ("ms", 1)
    return "\(milliseconds / unit.milliseconds)\(unit.name)"
}
