/// One rule in full: where it is written, what its filter was compiled to, and what it does at each place.
public struct RuleReport: Codable, Hashable, Sendable {
    /// A prefix with a rate of its own, and what has met its bucket.
    public struct Prefix: Codable, Hashable, Sendable {
        public var interface: String
        public var direction: String
        public var prefix: String
        public var rateBitsPerSecond: Double
        public var packets: UInt64
        public var bytes: UInt64
        public var droppedPackets: UInt64
        public var droppedBytes: UInt64
        public init(
            interface: String, direction: String, prefix: String, rateBitsPerSecond: Double, packets: UInt64, bytes: UInt64,
            droppedPackets: UInt64, droppedBytes: UInt64
        ) {
            self.interface = interface
            self.direction = direction
            self.prefix = prefix
            self.rateBitsPerSecond = rateBitsPerSecond
            self.packets = packets
            self.bytes = bytes
            self.droppedPackets = droppedPackets
            self.droppedBytes = droppedBytes
        }
    }

    public var at: String
    public var name: String
    /// `mirror`, `sample` or `shape`.
    public var kind: String
    /// Where it is written; nil: no file says it.
    public var file: String?
    public var line: Int?
    public var filter: String
    /// What the filter comes to when it stands alone, an instruction a line. In force it is one program with those of all other rules.
    public var program: [String] = []
    /// One for each namespace or interface that it applies in; of the other kinds empty.
    public var mirrors: [MirrorReport] = []
    public var samplers: [SampleReport] = []
    public var shapers: [ShapeReport] = []
    public var prefixes: [Prefix] = []
    /// Where it cannot be carried out.
    public var refusals: [PlanReport.Refusal] = []
    /// The interfaces that it waits for.
    public var waiting: [PlanReport.Waiting] = []

    public init(at: String, name: String, kind: String, file: String?, line: Int?, filter: String) {
        self.at = at
        self.name = name
        self.kind = kind
        self.file = file
        self.line = line
        self.filter = filter
    }
}
