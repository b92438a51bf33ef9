/// A collecting process as RFC 7011 describes it, written from the document, not from the exporter.
struct Collector {
    struct Malformed: Error {
        var what: String
        init(_ what: String) { self.what = what }
    }
    struct Field: Hashable {
        var element: Int
        var length: Int
    }
    struct Template: Hashable {
        var scopes: Int
        var fields: [Field]
    }
    struct Record {
        var template: Int
        /// In order; an element can stand twice.
        var values: [(element: Int, bytes: [UInt8])]
        func number(_ element: Int, occurrence: Int = 0) -> UInt64? {
            let all = values.filter { $0.element == element }
            return all.count > occurrence ? all[occurrence].bytes.reduce(0) { $0 << 8 | UInt64($1) } : nil
        }
        func bytes(_ element: Int, occurrence: Int = 0) -> [UInt8]? {
            let all = values.filter { $0.element == element }
            return all.count > occurrence ? all[occurrence].bytes : nil
        }
    }

    var templates: [Int: Template] = [:]
    var records: [Record] = []
    var expected: UInt32?
    /// Template records met so far.
    var templateRecords = 0
    var exportTimes: [UInt32] = []

    mutating func receive(_ m: [UInt8]) throws {
        func n(_ at: Int, _ length: Int) throws -> Int {
            guard at + length <= m.count else { throw Malformed("cut at \(at)") }
            return m[at..<at + length].reduce(0) { $0 << 8 | Int($1) }
        }
        guard try n(0, 2) == 10 else { throw Malformed("version") }
        guard try n(2, 2) == m.count else { throw Malformed("length \(try n(2, 2)) of \(m.count)") }
        exportTimes.append(UInt32(try n(4, 4)))
        let sequence = UInt32(try n(8, 4))
        if let expected, expected != sequence { throw Malformed("sequence \(sequence), expected \(expected)") }
        var data: UInt32 = 0
        var at = 16
        if at == m.count { throw Malformed("empty message") }
        while at < m.count {
            let (set, length) = (try n(at, 2), try n(at + 2, 2))
            let end = at + length
            guard length > 4, end <= m.count else { throw Malformed("set length \(length)") }
            at += 4
            switch set {
            case 2, 3:
                while end - at >= 4 {
                    let (identifier, count) = (try n(at, 2), try n(at + 2, 2))
                    at += 4
                    var scopes = 0
                    if set == 3 {
                        scopes = try n(at, 2)
                        at += 2
                        guard scopes > 0, scopes <= count else { throw Malformed("scopes") }
                    }
                    var fields: [Field] = []
                    for _ in 0..<count {
                        fields.append(Field(element: try n(at, 2), length: try n(at + 2, 2)))
                        at += 4
                    }
                    guard identifier >= 256, at <= end, fields.allSatisfy({ $0.element < 32_768 }) else { throw Malformed("template") }
                    let template = Template(scopes: scopes, fields: fields)
                    if let old = templates[identifier], old != template { throw Malformed("template \(identifier) changed") }
                    templates[identifier] = template
                    templateRecords += 1
                }
                guard at == end else { throw Malformed("padding in a template set") }
            case 256...:
                guard let template = templates[set] else { throw Malformed("data before template \(set)") }
                while at < end {
                    var values: [(Int, [UInt8])] = []
                    for field in template.fields {
                        var length = field.length
                        if length == 65_535 {
                            length = try n(at, 1)
                            at += 1
                            if length == 255 {
                                length = try n(at, 2)
                                at += 2
                            }
                        }
                        guard at + length <= end else { throw Malformed("record of \(set) is cut") }
                        values.append((field.element, Array(m[at..<at + length])))
                        at += length
                    }
                    records.append(Record(template: set, values: values))
                    data &+= 1
                }
            default: throw Malformed("set \(set)")
            }
        }
        expected = sequence &+ data
    }
}
