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
        do { return try JSONDecoder().decode(T.self, from: Data(contentsOf: URL(filePath: path))) } catch {
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
        let beside = file + ".new"
        let fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard fd >= 0 else { throw failure("write", beside) }
        defer { close(fd) }
        guard Glibc.write(fd, bytes, bytes.count) == bytes.count, rename(beside, file) == 0 else {
            let refused = failure("write", file)
            unlink(beside)
            throw refused
        }
    }

    private func failure(_ what: String, _ path: String) -> AgentFailure {
        AgentFailure("\(what) \(path)", String(cString: strerror(errno)))
    }
}
