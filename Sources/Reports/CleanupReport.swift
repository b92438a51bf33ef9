/// What `nilo cleanup` took away, or would.
public struct CleanupReport: Codable, Hashable, Sendable {
    /// Nothing was done: `removed` is what would be.
    public var dryRun: Bool
    public var removed: [Step]
    public var failed: [Failure]
    /// What was found and left alone, each a sentence with the reason.
    public var left: [String]

    /// One thing that is Nilometer's.
    public struct Step: Codable, Hashable, Sendable {
        /// `"ingress filter of eth0"`.
        public var what: String
        /// Where the command has to be run; nil: anywhere, or in the namespace that one is in.
        public var namespace: String?
        /// What a person would type.
        public var command: String
        /// It is put back, not taken away.
        public var restores: Bool
        public init(_ what: String, namespace: String? = nil, command: String, restores: Bool = false) {
            self.what = what
            self.namespace = namespace
            self.command = command
            self.restores = restores
        }
    }

    public struct Failure: Codable, Hashable, Sendable {
        public var step: Step
        public var why: String
        public init(_ step: Step, why: String) {
            self.step = step
            self.why = why
        }
    }

    public init(dryRun: Bool, removed: [Step] = [], failed: [Failure] = [], left: [String] = []) {
        self.dryRun = dryRun
        self.removed = removed
        self.failed = failed
        self.left = left
    }
}
