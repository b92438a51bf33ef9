import NetworkTypes

/// One step from the qdiscs and classes that an interface has to those it is to have.
public enum QdiscChange: Hashable, Sendable {
    /// Our root qdisc, without classes, in place of the kernel's default.
    case addRoot
    /// Our root qdisc goes, with all it has; the kernel puts its default in its place.
    case removeRoot(HTBTree)
    /// A foreign root qdisc goes, so that ours can stand in its place.
    case removeForeign(QdiscRecipe)
    /// A foreign root qdisc comes back as it was.
    case restoreForeign(QdiscRecipe)
    case addClass(HTBClass)
    case changeClass(HTBClass, from: HTBClass)
    case removeClass(HTBClass)

    /// What a person would type.
    public func command(on interface: String) -> String {
        let root = "dev \(interface) root handle \(String(HTBTree.major, radix: 16)):"
        return switch self {
        case .addRoot: "tc qdisc add \(root) htb default \(String(HTBTree.defaultMinor, radix: 16))"
        case .removeRoot: "tc qdisc del \(root)"
        case .removeForeign(let recipe): "tc qdisc del dev \(interface) root handle \(recipe.handleText)"
        case .restoreForeign(let recipe): "tc qdisc add dev \(interface) root handle \(recipe.handleText) \(recipe.arguments)"
        case .addClass(let added): "tc class add dev \(interface) \(added.arguments)"
        case .changeClass(let changed, _): "tc class change dev \(interface) \(changed.arguments)"
        case .removeClass(let removed):
            "tc class del dev \(interface) classid \(String(HTBTree.major, radix: 16)):\(String(removed.minor, radix: 16))"
        }
    }

    /// What is not as it was, of a class that changes; nil: there is nothing to compare.
    public var reason: String? {
        guard case .changeClass(let new, let old) = self else { return nil }
        func rate(_ bytes: UInt64) -> String { "\(BitRate(bitsPerSecond: Double(bytes) * 8))" }
        var parts: [String] = []
        func compare(_ what: String, _ before: String, _ after: String) {
            if before != after { parts.append("\(what) \(before) → \(after)") }
        }
        if new.rate != old.rate { parts.append("rate \(rate(old.rate)) → \(rate(new.rate))") }
        if new.ceiling != old.ceiling { parts.append("ceiling \(rate(old.ceiling)) → \(rate(new.ceiling))") }
        let (burst, burstBefore) = (HTBClass.bytes(new.buffer, at: new.rate), HTBClass.bytes(old.buffer, at: old.rate))
        compare("burst", "\(ByteCount(burstBefore))", "\(ByteCount(burst))")
        compare("priority", "\(old.priority)", "\(new.priority)")
        compare("turn", "\(ByteCount(UInt64(old.quantum)))", "\(ByteCount(UInt64(new.quantum)))")
        compare("overhead", "\(old.overhead)", "\(new.overhead)")
        return parts.isEmpty ? "it rounds otherwise" : parts.joined(separator: ", ")
    }

    /// What takes it back.
    public var undo: [QdiscChange] {
        switch self {
        case .addRoot: [.removeRoot(HTBTree())]
        case .removeRoot(let tree): [.addRoot] + tree.topDown.map { .addClass($0) }
        case .removeForeign(let recipe): [.restoreForeign(recipe)]
        case .restoreForeign(let recipe): [.removeForeign(recipe)]
        case .addClass(let added): [.removeClass(added)]
        case .changeClass(let changed, let before): [.changeClass(before, from: changed)]
        case .removeClass(let removed): [.addClass(removed)]
        }
    }

    /// The steps from one tree to another, either of which may be none at all.
    ///
    /// What is new comes first, from the root down; then what changes, in place; what is to go comes last, from the leaves up. So a packet
    /// always finds the class that the rule in force names. A class under another parent is not the same class: the kernel cannot move it.
    /// - Parameters:
    ///   - replacing: the foreign root qdisc that has to go.
    ///   - restoring: the one that stood there before ours, where nothing of anyone's stands but perhaps ours.
    public static func changes(
        from observed: HTBTree?, to wanted: HTBTree?, replacing: QdiscRecipe? = nil, restoring: QdiscRecipe? = nil
    ) -> [QdiscChange] {
        guard let wanted else {
            return (observed.map { [.removeRoot($0)] } ?? []) + (restoring.map { [.restoreForeign($0)] } ?? [])
        }
        guard let observed else {
            return (replacing.map { [.removeForeign($0)] } ?? []) + [.addRoot] + wanted.topDown.map { .addClass($0) }
        }
        // The kernel cannot move a class: it goes, with all below it, and comes again.
        var moving: Set<UInt16> = []
        let present = observed.topDown
        for old in present {
            let isMoved = wanted.classes[old.minor].map { $0.parent != old.parent } ?? false
            if isMoved || moving.contains(old.parent) { moving.insert(old.minor) }
        }
        let bottomUp = present.reversed()
        let moved = bottomUp.filter { moving.contains($0.minor) }.map { QdiscChange.removeClass($0) }
        var added: [QdiscChange] = []
        var changed: [QdiscChange] = []
        for new in wanted.topDown {
            if let old = observed.classes[new.minor], !moving.contains(new.minor) {
                if old != new { changed.append(.changeClass(new, from: old)) }
            } else {
                added.append(.addClass(new))
            }
        }
        let removed = bottomUp.filter { wanted.classes[$0.minor] == nil && !moving.contains($0.minor) }
        return moved + added + changed + removed.map { .removeClass($0) }
    }
}

/// A root qdisc of someone else's, with all that is needed to make it again.
public struct QdiscRecipe: Hashable, Sendable {
    /// `"tbf"`, `"fq_codel"`, …
    public var kind: String
    /// major << 16.
    public var handle: UInt32
    /// The kernel's attribute TCA_OPTIONS as it was read.
    public var options: [UInt8]

    public init(kind: String, handle: UInt32, options: [UInt8]) {
        self.kind = kind
        self.handle = handle
        self.options = options
    }

    /// `"8001:"`.
    public var handleText: String { "\(String(handle >> 16, radix: 16)):" }

    /// Kinds that come back with every parameter as it was; for each a test compares the two.
    public static let replaceable: Set<String> = ["pfifo", "bfifo", "pfifo_fast", "tbf", "fq_codel", "fq"]
}
