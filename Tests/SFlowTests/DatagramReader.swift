/// Reads sFlow datagrams as the specification describes them; written from the document, not from the exporter.
struct DatagramReader {
    struct Malformed: Error {
        var what: String
        init(_ what: String) { self.what = what }
    }
    struct Flow: Equatable {
        var sequence: Int
        var source: Int
        var rate: Int
        var pool: Int
        var drops: Int
        var input: Int
        var output: Int
        var protocolNumber = 0
        var frameLength = 0
        var stripped = 0
        var header: [UInt8] = []
        var vlans: [Int] = []
    }
    struct Counters: Equatable {
        var sequence: Int
        var source: Int
        /// The 88 bytes of generic interface counters as they stand.
        var generic: [UInt8]
    }

    var sequences: [Int] = []
    var uptimes: [Int] = []
    var flows: [Flow] = []
    var counters: [Counters] = []

    private var bytes: [UInt8] = []
    private var at = 0

    private mutating func number() throws -> Int {
        guard at + 4 <= bytes.count else { throw Malformed("cut at \(at)") }
        defer { at += 4 }
        return bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    private mutating func opaque(_ count: Int) throws -> [UInt8] {
        let padded = (count + 3) / 4 * 4
        guard at + padded <= bytes.count else { throw Malformed("cut at \(at)") }
        defer { at += padded }
        guard bytes[at + count..<at + padded].allSatisfy({ $0 == 0 }) else { throw Malformed("padding is not zero") }
        return Array(bytes[at..<at + count])
    }

    mutating func receive(_ datagram: [UInt8]) throws {
        bytes = datagram
        at = 0
        guard try number() == 5 else { throw Malformed("version") }
        switch try number() {
        case 1: _ = try opaque(4)
        case 2: _ = try opaque(16)
        default: throw Malformed("address type")
        }
        _ = try number()
        sequences.append(try number())
        uptimes.append(try number())
        for _ in 0..<(try number()) {
            let type = try number()
            let length = try number()
            let end = at + length
            switch type {
            case 1, 3: try flow(isExpanded: type == 3, end: end)
            case 2, 4: try counter(isExpanded: type == 4)
            default: throw Malformed("sample type \(type)")
            }
            guard at == end else { throw Malformed("a sample of \(length) bytes ends at \(at), not \(end)") }
        }
        guard at == bytes.count else { throw Malformed("\(bytes.count - at) bytes behind the last sample") }
    }

    private mutating func source(isExpanded: Bool) throws -> Int {
        if !isExpanded { return try number() }
        guard try number() == 0 else { throw Malformed("source type") }
        return try number()
    }
    private mutating func port(isExpanded: Bool) throws -> Int {
        if isExpanded, try number() != 0 { throw Malformed("interface format") }
        return try number()
    }

    private mutating func flow(isExpanded: Bool, end: Int) throws {
        var flow = Flow(sequence: try number(), source: try source(isExpanded: isExpanded), rate: 0, pool: 0, drops: 0, input: 0, output: 0)
        flow.rate = try number()
        flow.pool = try number()
        flow.drops = try number()
        flow.input = try port(isExpanded: isExpanded)
        flow.output = try port(isExpanded: isExpanded)
        for _ in 0..<(try number()) {
            let format = try number()
            let length = try number()
            let end = at + length
            switch format {
            case 1:
                flow.protocolNumber = try number()
                flow.frameLength = try number()
                flow.stripped = try number()
                flow.header = try opaque(try number())
            case 1001: for _ in 0..<4 { flow.vlans.append(try number()) }
            default: throw Malformed("flow record \(format)")
            }
            guard at == end else { throw Malformed("a record of \(length) bytes") }
        }
        flows.append(flow)
    }

    private mutating func counter(isExpanded: Bool) throws {
        let sequence = try number()
        let source = try source(isExpanded: isExpanded)
        guard try number() == 1, try number() == 1, try number() == 88 else { throw Malformed("counter record") }
        counters.append(Counters(sequence: sequence, source: source, generic: try opaque(88)))
    }
}
