import Flows
import Glibc
import NetworkTypes
import Policy

/// What the files of the policy folder say together, and where they say it. `docs/policy.md` is the reference of the text.
public struct PolicyFile: Sendable, Equatable {
    /// A line of a file.
    public struct Place: Hashable, Sendable, CustomStringConvertible {
        public var file: String
        /// Counted from 1.
        public var line: Int
        public var description: String { "\(file):\(line)" }

        public init(file: String, line: Int) {
            self.file = file
            self.line = line
        }
    }

    public var policy: Policy
    /// Where each rule is written, by its name.
    public var places: [String: Place]

    /// Why the policy is not used: every problem of every file.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// Never empty; in the order in which the files are read.
        public var files: [ConfigurationError]
        public var description: String { files.map(\.description).joined(separator: "\n") }
    }

    /// Reads files as one policy, in the given order.
    ///
    /// - Parameters:
    ///   - files: UTF-8 YAML; the names stand in messages.
    ///   - readList: gives the bytes of a prefix list that is a file of its own.
    public static func parse(_ files: [PolicyDirectory.File], readList: PrefixListReader = .system) throws(Failure) -> PolicyFile {
        var reading = PolicyReading(readList: readList)
        for file in files { reading.open(file) }
        reading.readSets()
        reading.readRules()
        reading.judge()
        return try reading.result()
    }

    /// Reads one file by itself.
    public static func parse(_ bytes: [UInt8], file: String, readList: PrefixListReader = .system) throws(Failure) -> PolicyFile {
        try parse([PolicyDirectory.File(name: file, bytes: bytes)], readList: readList)
    }

    /// Reads every file of a folder, in the order of their names.
    public static func load(_ directory: PolicyDirectory) throws(Failure) -> PolicyFile {
        let files: [PolicyDirectory.File]
        do { files = try directory.read() } catch {
            let problem = ConfigurationProblem(line: 0, keyPath: "", value: nil, reason: error.description, hint: nil)
            throw Failure(files: [ConfigurationError(file: directory.path, problems: [problem])])
        }
        return try parse(files.map { .init(name: "\(directory.path)/\($0.name)", bytes: $0.bytes) })
    }
}

/// Gives the bytes of a file that lists prefixes.
public struct PrefixListReader: Sendable {
    public var read: @Sendable (_ path: String) throws(PolicyDirectory.Failure) -> [UInt8]
    public init(_ read: @escaping @Sendable (_ path: String) throws(PolicyDirectory.Failure) -> [UInt8]) { self.read = read }

    public static let system = PrefixListReader { (path) throws(PolicyDirectory.Failure) in try PolicyDirectory.contents(of: path) }
}

/// Several files on their way to one policy. Sets are read first: filters of any file name them.
struct PolicyReading {
    typealias Subject = PolicyViolation.Subject

    /// Where something is written.
    struct Source {
        var file: Int
        var node: YAMLNode
        /// `mirror[0]`
        var path: String
        /// It has a problem of its own: what is said of it as a whole would only follow from that.
        var isFaulty = false
        /// Its keys that could not be read; what else is said of them would only follow. The empty key: all of it.
        var unread: Set<String> = []

        /// - Parameter key: in the words of a policy file, below the subject: `to.vxlan.vni`.
        func couldRead(_ key: String) -> Bool { unread.isDisjoint(with: ["", Self.first(key)]) }

        static func first(_ key: some StringProtocol) -> String { String(key.prefix { $0 != "." && $0 != "[" }) }
    }

    struct File {
        var name: String
        var sections: [String: YAMLNode]
        var decoder = ConfigurationDecoder()
    }

    static let sections = ["sets", "links"] + RuleKind.allCases.map(\.rawValue) + ["plan", "routes"]

    let readList: PrefixListReader
    var files: [File] = []
    /// Of prefix lists that are files of their own, in the order of reading.
    var listErrors: [ConfigurationError] = []
    var policy = Policy()
    var sources: [Subject: Source] = [:]

    init(readList: PrefixListReader) { self.readList = readList }

    mutating func open(_ file: PolicyDirectory.File) {
        var opened = File(name: file.name, sections: [:])
        do throws(YAMLFailure) {
            if let root = try YAMLReader.read(file.bytes, maximumBytes: PolicyDirectory.maximumBytes) {
                opened.sections = opened.decoder.mapping(root, "", keys: Self.sections)
            }
        } catch {
            opened.decoder.report(line: error.line, error.reason)
        }
        files.append(opened)
    }

    /// Keeps where `subject` is written; decodes it; notes whether that went well.
    mutating func read<T>(
        _ subject: Subject, _ file: Int, _ node: YAMLNode, _ path: String, _ decode: (inout ConfigurationDecoder) -> T
    ) -> T {
        let (problems, faults) = (files[file].decoder.problems.count, files[file].decoder.faults.count)
        let value = decode(&files[file].decoder)
        let unread = files[file].decoder.faults[faults...].map { Source.first($0.dropFirst(path.count + 1)) }
        sources[subject] = Source(
            file: file, node: node, path: path, isFaulty: files[file].decoder.problems.count > problems, unread: Set(unread))
        return value
    }

    /// The most entries of a section of one file.
    private static let mostItems = 4096

    /// The items of a section that is a list.
    mutating func items(_ section: String, _ file: Int) -> [(node: YAMLNode, path: String)] {
        guard let node = files[file].sections[section] else { return [] }
        guard case .sequence(let items) = node.content else {
            files[file].decoder.report(node, section, "expected a list, found \(node.kind)", hint: "start each one with \"- \"")
            return []
        }
        // More than the kernel side can hold by far: each would only be a mistake of its own.
        guard items.count <= Self.mostItems else {
            files[file].decoder.report(node, section, "has \(items.count) entries; \(Self.mostItems) are read at most")
            return []
        }
        return items.enumerated().map { ($1, "\(section)[\($0)]") }
    }

    mutating func readRules() {
        let sets = Set(policy.prefixSets.keys)
        for file in files.indices {
            for (node, path) in items("links", file) {
                let link = read(.link(policy.links.count), file, node, path) { $0.link(node, path) }
                policy.links.append(link)
            }
            for (node, path) in items(RuleKind.mirror.rawValue, file) {
                let rule = read(.rule(.mirror, policy.mirrors.count), file, node, path) { $0.mirror(node, path, sets) }
                policy.mirrors.append(rule)
            }
            for (node, path) in items(RuleKind.sampler.rawValue, file) {
                let rule = read(.rule(.sampler, policy.samplers.count), file, node, path) { $0.sampler(node, path, sets) }
                policy.samplers.append(rule)
            }
            for (node, path) in items(RuleKind.shaper.rawValue, file) {
                let rule = read(.rule(.shaper, policy.shapers.count), file, node, path) { $0.shaper(node, path, sets) }
                policy.shapers.append(rule)
            }
            for (node, path) in items("plan", file) {
                let plan = read(.plan(policy.plans.count), file, node, path) { $0.plan(node, path) }
                policy.plans.append(plan)
            }
            for (node, path) in items("routes", file) {
                let route = read(.route(policy.routes.count), file, node, path) { $0.route(node, path) }
                policy.routes.append(route)
            }
        }
    }

    /// Reports what the policy as a whole gets wrong, each at the place of its key.
    mutating func judge() {
        for violation in policy.violations() {
            guard let source = sources[violation.subject], source.couldRead(violation.key), !violation.key.isEmpty || !source.isFaulty,
                violation.other.flatMap({ sources[$0] })?.couldRead(violation.key) ?? true
            else { continue }
            var reason = violation.reason
            if let other = violation.other.flatMap({ sources[$0] }) {
                reason += " (\(other.path) in \(files[other.file].name):\(other.node.line))"
            }
            let node = source.node.deepest(violation.key)
            let path = violation.key.isEmpty ? source.path : "\(source.path).\(violation.key)"
            files[source.file].decoder.report(node, path, reason, hint: violation.hint)
        }
    }

    func result() throws(PolicyFile.Failure) -> PolicyFile {
        let errors = files.compactMap { file in
            file.decoder.problems.isEmpty
                ? nil : ConfigurationError(file: file.name, problems: file.decoder.problems.sorted { $0.line < $1.line })
        }
        guard errors.isEmpty && listErrors.isEmpty else { throw PolicyFile.Failure(files: errors + listErrors) }
        var places: [String: PolicyFile.Place] = [:]
        let names = policy.mirrors.map(\.name) + policy.samplers.map(\.name) + policy.shapers.map(\.name)
        let subjects =
            policy.mirrors.indices.map { Subject.rule(.mirror, $0) } + policy.samplers.indices.map { .rule(.sampler, $0) }
            + policy.shapers.indices.map { .rule(.shaper, $0) }
        for (name, subject) in zip(names, subjects) {
            if let source = sources[subject] { places[name] = .init(file: files[source.file].name, line: source.node.line) }
        }
        return PolicyFile(policy: policy, places: places)
    }
}

extension YAMLNode {
    /// The node that a key path such as `to.vxlan.vni` or `list[2].net` leads to, or the last one there is on the way.
    func deepest(_ path: String) -> YAMLNode {
        var node = self
        for step in path.split(whereSeparator: { $0 == "." || $0 == "[" || $0 == "]" }) {
            switch node.content {
            case .mapping(let entries):
                guard let entry = entries.first(where: { $0.key == step }) else { return node }
                node = entry.value
            case .sequence(let items):
                guard let index = Int(step), items.indices.contains(index) else { return node }
                node = items[index]
            case .scalar: return node
            }
        }
        return node
    }
}
