/// How much history is kept. What is older than its age goes; when the file is to outgrow its bound, the oldest of what takes most goes
/// before its age.
public struct StorageLimits: Sendable, Hashable {
    /// Bytes of the file and its write-ahead log together, at least `smallestSize`. SQLite only: a server has quotas of its own.
    public var size: Int64
    /// Ages of the points by resolution.
    public var ages: [SeriesResolution: Duration]
    /// Age of the topology's versions. What is still valid is kept whatever its age.
    public var topologyAge: Duration

    public static let smallestSize: Int64 = 4 << 20

    public init(
        size: Int64 = 1 << 30,
        ages: [SeriesResolution: Duration] = [
            .second: .seconds(6 * 3600), .tenSeconds: .seconds(3 * 86_400), .minute: .seconds(30 * 86_400), .hour: .seconds(400 * 86_400),
        ],
        topologyAge: Duration = .seconds(90 * 86_400)
    ) {
        self.size = size
        self.ages = ages
        self.topologyAge = topologyAge
    }

    func age(_ resolution: SeriesResolution) -> Duration { ages[resolution] ?? .seconds(6 * 3600) }
}
