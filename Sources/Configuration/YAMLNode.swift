import CYAML

/// One node of a YAML document with the place it came from.
///
/// Built from libyaml's events rather than its document API: events are bounded as they come (depth, count), and an alias, which could
/// make a cycle or blow a small file up to gigabytes, is refused before anything follows it. Anchors without an alias are harmless.
struct YAMLNode {
    struct Entry {
        var key: String
        /// Line of the key, counted from 1.
        var line: Int
        var value: YAMLNode
    }

    enum Content {
        /// `plain` when written without quotes: only then do words such as `null` and `off` mean more than themselves.
        case scalar(String, plain: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    var content: Content
    /// Counted from 1.
    var line: Int

    /// Nothing was written: an empty value, `~` or `null`.
    var isNull: Bool {
        if case .scalar(let text, plain: true) = content { return text.isEmpty || text == "~" || text == "null" }
        return false
    }

    /// What the node is, for messages.
    var kind: String {
        switch content {
        case .scalar(let text, _): "\"\(text)\""
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// Why a text is not the YAML that is read here.
struct YAMLFailure: Error {
    var line: Int
    var reason: String
}

/// Reads one YAML document out of bytes: at most `maximumBytes` long and `maximumDepth` deep.
struct YAMLReader: ~Copyable {
    static let maximumBytes = 256 << 10
    static let maximumDepth = 16

    // On the heap: libyaml keeps pointers into the parser, so it must not move.
    private let parser: UnsafeMutablePointer<yaml_parser_t>

    private init() {
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
    }

    deinit { parser.deallocate() }

    /// The document's root; nil when the text holds none (empty, or comments only).
    static func read(_ bytes: [UInt8], maximumBytes: Int = maximumBytes) throws(YAMLFailure) -> YAMLNode? {
        guard bytes.count <= maximumBytes else {
            throw YAMLFailure(line: 1, reason: "the file is larger than \(maximumBytes) bytes")
        }
        let reader = YAMLReader()
        guard yaml_parser_initialize(reader.parser) == 1 else { throw YAMLFailure(line: 1, reason: "out of memory") }
        defer { yaml_parser_delete(reader.parser) }
        let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        defer { input.deallocate() }
        _ = input.initialize(from: bytes)
        yaml_parser_set_input_string(reader.parser, input.baseAddress, bytes.count)
        return try reader.document()
    }

    private borrowing func document() throws(YAMLFailure) -> YAMLNode? {
        var root: YAMLNode?
        while true {
            let event = try next()
            switch event {
            case .node(let first):
                root = try node(first, depth: 0)
            case .documentStart(let line):
                if root != nil { throw YAMLFailure(line: line, reason: "a second document: one file holds one configuration") }
            case .streamEnd: return root
            case .other: continue
            case .end(let line): throw YAMLFailure(line: line, reason: "unexpected end of a list or mapping")
            }
        }
    }

    /// An event that opens a node, or closes what is open.
    private enum Event {
        enum Opening {
            case scalar(String, plain: Bool)
            case sequence
            case mapping
        }
        struct First {
            var opening: Opening
            var line: Int
        }
        case node(First)
        case end(line: Int)
        case documentStart(line: Int)
        case streamEnd
        case other
    }

    private borrowing func node(_ first: Event.First, depth: Int) throws(YAMLFailure) -> YAMLNode {
        guard depth < Self.maximumDepth else {
            throw YAMLFailure(line: first.line, reason: "nested deeper than \(Self.maximumDepth) levels")
        }
        switch first.opening {
        case .scalar(let text, let plain):
            return YAMLNode(content: .scalar(text, plain: plain), line: first.line)
        case .sequence:
            var items: [YAMLNode] = []
            while case .node(let item) = try next() { items.append(try node(item, depth: depth + 1)) }
            return YAMLNode(content: .sequence(items), line: first.line)
        case .mapping:
            var entries: [YAMLNode.Entry] = []
            while case .node(let start) = try next() {
                let key = try node(start, depth: depth + 1)
                guard case .scalar(let name, _) = key.content else {
                    throw YAMLFailure(line: key.line, reason: "a key must be a word, not \(key.kind)")
                }
                guard case .node(let valueStart) = try next() else { throw YAMLFailure(line: key.line, reason: "a key without a value") }
                entries.append(.init(key: name, line: key.line, value: try node(valueStart, depth: depth + 1)))
            }
            return YAMLNode(content: .mapping(entries), line: first.line)
        }
    }

    private borrowing func next() throws(YAMLFailure) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let line = event.start_mark.line + 1
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return .node(.init(opening: .scalar(text, plain: scalar.style == YAML_PLAIN_SCALAR_STYLE), line: line))
        case YAML_SEQUENCE_START_EVENT: return .node(.init(opening: .sequence, line: line))
        case YAML_MAPPING_START_EVENT: return .node(.init(opening: .mapping, line: line))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return .end(line: line)
        case YAML_ALIAS_EVENT: throw YAMLFailure(line: line, reason: "aliases (*name) are not supported")
        case YAML_DOCUMENT_START_EVENT: return .documentStart(line: line)
        case YAML_STREAM_END_EVENT: return .streamEnd
        default: return .other
        }
    }

    private borrowing func failure() -> YAMLFailure {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
        let context = parser.pointee.context.map { " " + String(cString: $0) } ?? ""
        // A reader error (bad UTF-8) has an offset and no mark.
        let line = parser.pointee.error == YAML_READER_ERROR ? parser.pointee.mark.line : parser.pointee.problem_mark.line
        return YAMLFailure(line: line + 1, reason: "not valid YAML: \(problem)\(context)")
    }
}
