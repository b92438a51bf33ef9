import FoundationEssentials
import Glibc

/// What planning keeps on disk: the demand of classes, for forecasts after a restart, and what classes are allocated.
///
/// Files are replaced whole, so that a crash leaves the old or the new one. What cannot be read is told and taken for nothing.
struct PlanningFolder {
    /// Demand of a class, one mean an interval.
    struct Demand: Codable, Equatable {
        /// Intervals since 1970 of the last value.
        var last: Int64
        /// Seconds of an interval.
        var interval: Double
        /// Bits a second, oldest first; null: not measured.
        var values: [Float?]
    }

    let path: String
    /// Bytes of a file that is read: two weeks of all classes that there can be are some 80 MB.
    private static let longest = 1 << 28
    private var demandPath: String { "\(path)/demand.json" }
    private var standingPath: String { "\(path)/standing.json" }

    func readDemand() throws -> [String: Demand] { try read(demandPath) ?? [:] }
    /// What planning applied last: bits a second, by rule.
    func readStanding() throws -> [String: Double] { try read(standingPath) ?? [:] }
    func write(_ demand: [String: Demand]) throws { try write(demand, to: demandPath) }
    func write(_ standing: [String: Double]) throws { try write(standing, to: standingPath) }

    func removeStanding() throws {
        guard unlink(standingPath) == 0 || errno == ENOENT || errno == ENOTDIR else { throw failure("remove", standingPath) }
    }

    private func read<T: Decodable>(_ path: String) throws -> T? {
        guard access(path, F_OK) == 0 else { return nil }
        let bytes: [UInt8]
        do throws(SystemFiles.Unread) { bytes = try SystemFiles.bytes(path, most: Self.longest) } catch {
            throw AgentFailure(reading: path, error)
        }
        do { return try JSONDecoder().decode(T.self, from: Data(bytes)) } catch {
            throw AgentFailure("read \(path)", error is DecodingError ? "it is not what planning writes there" : "\(error)")
        }
    }

    private func write(_ value: some Encodable, to file: String) throws {
        var at = ""
        for part in path.split(separator: "/") {
            at += "/\(part)"
            guard mkdir(at, 0o700) == 0 || errno == EEXIST || access(at, F_OK) == 0 else { throw failure("make", at) }
        }
        let bytes = Array(try JSONEncoder().encode(value))
        do throws(SystemFiles.Unwritten) {
            try SystemFiles.replace(file, with: bytes, mode: 0o600, isSynchronised: false)
        } catch { throw failure("write", file, error.code) }
    }

    private func failure(_ what: String, _ path: String, _ code: Int32 = errno) -> AgentFailure {
        AgentFailure("\(what) \(path)", String(cString: strerror(code)))
    }
}
