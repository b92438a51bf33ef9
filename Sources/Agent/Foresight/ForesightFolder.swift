import FoundationEssentials
import Foresight
import Glibc

/// Where the agent keeps what it knows of its own forecasts, and the incidents: two files that are exchanged as a whole, so that one that is
/// killed leaves the file of before.
struct ForesightFolder: Sendable {
    let path: String

    private var incidents: String { path + "/incidents.json" }
    private var records: String { path + "/forecasts" }

    /// - Parameter path: made if only its last part is missing.
    init(path: String) throws {
        self.path = path
        // The agent's own; any other folder is the administrator's to make.
        if path.hasPrefix("/var/lib/nilo/") { _ = mkdir("/var/lib/nilo", 0o700) }
        let code = mkdir(path, 0o750) == 0 || errno == EEXIST ? 0 : errno
        guard code == 0, access(path, W_OK) == 0 else {
            throw AgentFailure(
                "keep forecasts in \(path)", String(cString: strerror(code == 0 ? errno : code)),
                hint: "forecast.state of the configuration names the folder; the one that it is in has to exist")
        }
    }

    // MARK: Incidents

    /// nil: none are kept.
    func readIncidents() throws -> IncidentBookReading? {
        guard let bytes = try Self.read(incidents) else { return nil }
        do { return try JSONDecoder().decode(IncidentBookReading.self, from: Data(bytes)) } catch {
            throw AgentFailure("read \(incidents)", "\(error)", hint: "move it away to go on without what it knows")
        }
    }

    func write(_ book: IncidentBook) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try Self.write(Array(try encoder.encode(book)), to: incidents)
    }

    // MARK: How forecasts did

    private static let magic = Array("nilo forecasts 1\n".utf8)

    /// By the series' keys; a file that is damaged holds nothing.
    func readRecords() throws -> [String: ForecastRecord] {
        guard let bytes = try Self.read(records) else { return [:] }
        let damaged = AgentFailure("read \(records)", "it is damaged", hint: "scores of earlier forecasts are lost with it")
        guard bytes.starts(with: Self.magic), bytes.count >= Self.magic.count + 8 else { throw damaged }
        let body = bytes.dropLast(8)
        guard Self.number(bytes.suffix(8)) == Self.digest(body) else { throw damaged }
        var rest = body.dropFirst(Self.magic.count)
        func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard count >= 0, rest.count >= count else { throw damaged }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func takeCount() throws -> Int {
            guard let count = Int(exactly: Self.number(try take(8))), count <= body.count else { throw damaged }
            return count
        }
        var found: [String: ForecastRecord] = [:]
        while !rest.isEmpty {
            let key = String(decoding: try take(try takeCount()), as: UTF8.self)
            let numbers = try (0..<takeCount()).map { _ in Double(bitPattern: Self.number(try take(8))) }
            if let record = ForecastRecord(numbers) { found[key] = record }
        }
        return found
    }

    func write(_ all: [(key: String, record: ForecastRecord)]) throws {
        var bytes = Self.magic
        for one in all {
            let numbers = one.record.encoded
            Self.append(UInt64(one.key.utf8.count), to: &bytes)
            bytes += one.key.utf8
            Self.append(UInt64(numbers.count), to: &bytes)
            for number in numbers { Self.append(number.bitPattern, to: &bytes) }
        }
        Self.append(Self.digest(bytes[...]), to: &bytes)
        try Self.write(bytes, to: records)
    }

    /// FNV-1a, 64 bits (Fowler, Noll, Vo): against damage, not against anyone.
    private static func digest(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

    // MARK: Files

    private static func read(_ path: String) throws -> [UInt8]? {
        do throws(SystemFiles.Unread) { return try SystemFiles.bytes(path, most: 1 << 30) } catch {
            if case .failed(ENOENT) = error { return nil }
            throw AgentFailure(reading: path, error)
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        do throws(SystemFiles.Unwritten) {
            try SystemFiles.replace(path, with: bytes, mode: 0o640, isSynchronised: true)
        } catch { throw AgentFailure("write \(path)", String(cString: strerror(error.code))) }
    }
}
