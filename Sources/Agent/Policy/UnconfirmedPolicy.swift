import Configuration
import FoundationEssentials

/// What was in force before a change that has to be confirmed: kept in the policy folder under a hidden name, so that the change cannot
/// outlive the agent that is to take it back. Written before the change, removed once the folder says what is in force again.
struct UnconfirmedPolicy: Codable, Equatable {
    /// The change is in force and waits; false: it was taken back, and the folder still says otherwise.
    var isPending: Bool
    /// The files that were in force before, by their names.
    private var accepted: [String: Data]
    /// Names of the files that the change is about.
    var changed: [String]

    init(isPending: Bool, files: [String: [UInt8]], changed: [String]) {
        self.isPending = isPending
        accepted = files.mapValues { Data($0) }
        self.changed = changed
    }

    var files: [String: [UInt8]] { accepted.mapValues { Array($0) } }

    /// nil: there is none.
    static func read(_ directory: PolicyDirectory) throws -> UnconfirmedPolicy? {
        guard let bytes = try directory.readUnconfirmed() else { return nil }
        do { return try JSONDecoder().decode(UnconfirmedPolicy.self, from: Data(bytes)) } catch {
            throw AgentFailure(
                "read \(directory.unconfirmedPath)", "\(error)",
                hint: "it tells which policy was in force before a change that nobody has confirmed: move it away to go on without")
        }
    }

    func write(_ directory: PolicyDirectory) throws { try directory.writeUnconfirmed(Array(try JSONEncoder().encode(self))) }

    /// Names of files that one has and the other has not, or not the same.
    static func difference(_ one: [String: [UInt8]], _ other: [String: [UInt8]]) -> [String] {
        Set(one.keys).union(other.keys).filter { one[$0] != other[$0] }.sorted()
    }
}
