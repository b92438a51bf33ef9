import Flows
import NetworkTypes

extension ShapePlan {
    /// Leaf classes that the flows of an aggregate are hashed to.
    static let fairLeaves = 64
    /// So many rules with leaves of their own at most; the others have one queue.
    static let mostFairRules = 64
    /// Above this many prefixes buckets are chosen rather than classes: all their rates change within milliseconds.
    static let mostPrefixClasses = 1000

    /// Plans the rules that apply to an interface.
    ///
    /// - Parameters:
    ///   - rules: in the order of the policy, those alone whose scope has this interface.
    ///   - numbers: of the plan in force.
    public static func make(_ rules: [ShapeRule], on site: ShapeSite, after numbers: ShapeNumbers = ShapeNumbers()) -> ShapePlan {
        var planning = ShapePlanning(rules, site, numbers)
        planning.run()
        return planning.plan
    }
}

/// The work behind `ShapePlan.make`: first what is to be done for each rule, then the classes, from the top down.
struct ShapePlanning {
    let rules: [ShapeRule]
    let site: ShapeSite
    var plan = ShapePlan()
    private let byName: [String: ShapeRule]
    private let parents: Set<String>
    private var usedParts: Set<ShapeNumbers.Part> = []
    private var usedMembers: Set<String> = []
    /// The class of each rule that has one.
    private var classes: [String: UInt16] = [:]
    private var tree = HTBTree()

    init(_ rules: [ShapeRule], _ site: ShapeSite, _ numbers: ShapeNumbers) {
        self.rules = rules
        self.site = site
        plan.numbers = numbers
        byName = Dictionary(rules.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        parents = Set(rules.compactMap(\.parent))
    }

    mutating func run() {
        // Parents before children, so that a class finds the one above it.
        for rule in rules.sorted(by: { depth($0) < depth($1) }) {
            if let reason = refusal(of: rule) {
                plan.refusals.append(reason)
                continue
            }
            for direction in rule.scope.direction.map({ [$0] }) ?? Direction.allCases { plan(rule, direction) }
        }
        let order = Dictionary(rules.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        let depths = byName.mapValues { depth($0) }
        plan.decisions.sort { a, b in
            let (deepA, deepB) = (depths[a.rule] ?? 0, depths[b.rule] ?? 0)
            if deepA != deepB { return deepA > deepB }
            if a.rule != b.rule { return (order[a.rule] ?? 0) < (order[b.rule] ?? 0) }
            return a.direction.rawValue < b.direction.rawValue
        }
        plan.numbers.keep(usedParts, members: usedMembers)
        guard !tree.classes.isEmpty else { return }
        if let capacity = site.capacity { addLinkClass(capacity) }
        plan.tree = tree
        noteRoot()
    }

    private mutating func noteRoot() {
        switch site.root {
        case .kernelDefault("noqueue"):
            plan.notes.append(
                "\(site.interface) has no queue: with an HTB root qdisc small packets cost about a tenth more, also those of no rule")
        case .kernelDefault("mq"):
            plan.notes.append("\(site.interface) has several queues: behind an HTB root qdisc they share one lock")
        case .foreign(let kind, _):
            plan.notes.append("the \(kind) qdisc of \(site.interface) is put back when no rule needs classes any more")
        default: break
        }
    }

    /// How many rules stand above; a ring counts as deep.
    private func depth(_ rule: ShapeRule) -> Int {
        var depth = 0
        var at = rule
        while let parent = at.parent.flatMap({ byName[$0] }), depth < 8 { (at, depth) = (parent, depth + 1) }
        return depth
    }

    // MARK: what cannot be

    private func refusal(of rule: ShapeRule) -> ShapePlan.Refusal? {
        func no(_ reason: String, _ hint: String) -> ShapePlan.Refusal {
            ShapePlan.Refusal(rule: rule.name, direction: nil, reason: reason, hint: hint)
        }
        if let parent = rule.parent, byName[parent] == nil {
            return no("its parent \(parent) does not apply to \(site.interface)", "give both rules the same interfaces")
        }
        // The kernel has eight levels; one is the link's, one that of leaves.
        if depth(rule) > 5 { return no("its parents are nested too deep, or in a ring", "at most six rules one within the other") }
        let rates = [rule.rate, rule.ceiling].compactMap { $0 }
        if let low = rates.first(where: { $0 < Shaper.lowestRate }) {
            return no("a rate of \(low) is too low", "at least \(Shaper.lowestRate)")
        }
        if let rate = rule.rate, let ceiling = rule.ceiling, ceiling < rate {
            return no("its ceiling \(ceiling) is below its rate \(rate)", "the ceiling is the most there is to be had")
        }
        if case .prefixes(let side, let list) = rule.aggregation {
            if side == .either { return no("a rate for each prefix needs an end of the packet", "say source or destination") }
            if list.isEmpty { return no("it has no prefixes", "list each prefix with its rate") }
        } else if case .host(.either) = rule.aggregation {
            return no("a rate for each host needs an end of the packet", "say source or destination")
        }
        if rates.isEmpty, rule.dscp == nil, !hasPrefixRates(rule), rule.parent == nil, rule.priority == 3 {
            return no("it asks for nothing", "give it a rate, a ceiling, a priority or a DSCP")
        }
        return nil
    }

    private func hasPrefixRates(_ rule: ShapeRule) -> Bool {
        if case .prefixes = rule.aggregation { return true }
        return false
    }

    private func sharing(_ rule: ShapeRule) -> Shaper.Sharing {
        func end(_ side: FlowFilter.Side) -> Shaper.End { side == .source ? .source : .destination }
        return switch rule.aggregation {
        case .aggregate: .all
        case .host(let side): .host(end(side))
        case .flow: .flow
        case .prefixes(let side, _): .prefixes(end(side))
        }
    }

    // MARK: how

    private struct Choice {
        var mechanism: ShapeRule.Mechanism
        var reason: String
        var shortfall: String? = nil
    }

    private var hasFQ: Bool {
        switch site.root {
        case .kernelDefault("fq"), .foreign("fq", _): true
        default: false
        }
    }

    /// Why there cannot be classes here; nil: there can.
    private var noClasses: (reason: String, hint: String)? {
        if !site.qdiscs.contains("htb") { return ("the kernel has no HTB", "modprobe sch_htb") }
        if site.queueLength < 2 {
            return (
                "\(site.interface) has a transmit queue of \(site.queueLength): classes could not hold packets",
                "ip link set dev \(site.interface) txqueuelen 1000"
            )
        }
        guard case .foreign(let kind, let irreplaceable) = site.root else { return nil }
        if let irreplaceable { return ("a \(kind) root qdisc that is not ours stands there: \(irreplaceable)", "remove it yourself first") }
        return site.mayReplace ? nil : ("a \(kind) root qdisc that is not ours stands there", "--replace exchanges it and puts it back")
    }

    private func choose(_ rule: ShapeRule, _ direction: Direction) -> Choice {
        let needsTree = rule.parent != nil || parents.contains(rule.name) || rule.priority != 3 || (rule.rate != nil && rule.ceiling != nil)
        let metered = rule.ceiling ?? rule.rate
        if metered == nil, !hasPrefixRates(rule), !needsTree { return Choice(mechanism: .auto, reason: "DSCP alone") }
        if direction == .ingress { return Choice(mechanism: .police, reason: "what has arrived can be dropped, not delayed") }
        if needsTree || (rule.rate != nil && site.capacity != nil) {
            return Choice(mechanism: .htb, reason: "a guarantee, a priority or nesting needs classes")
        }
        if hasFQ { return Choice(mechanism: .edt, reason: "fq is at the root of \(site.interface): no lock, and flows are fair") }
        let best = chooseByKind(rule)
        guard let no = noClasses else { return best }
        var choice = Choice(mechanism: .police, reason: "no classes: \(no.reason)")
        if case .foreign = site.root, best.mechanism == .htb {
            choice.shortfall = "policed, not delayed: \(no.reason) (\(no.hint))"
        }
        return choice
    }

    /// Of a ceiling alone, where there may be classes and there is no fq.
    private func chooseByKind(_ rule: ShapeRule) -> Choice {
        switch rule.aggregation {
        case .aggregate: return Choice(mechanism: .htb, reason: "a class delays what a policer would drop; there is no fq")
        case .host, .flow:
            return Choice(mechanism: .police, reason: "a bucket for each, where classes would be shared by hash; there is no fq")
        case .prefixes(_, let list) where list.count <= ShapePlan.mostPrefixClasses:
            return Choice(mechanism: .htb, reason: "a class for each prefix; there is no fq")
        case .prefixes(_, let list): return Choice(mechanism: .police, reason: "\(list.count) rates change at once as buckets")
        }
    }

    private mutating func plan(_ rule: ShapeRule, _ direction: Direction) {
        var choice = rule.mechanism == .auto ? choose(rule, direction) : Choice(mechanism: rule.mechanism, reason: "the policy says so")
        func no(_ reason: String, _ hint: String) -> ShapePlan.Refusal {
            ShapePlan.Refusal(rule: rule.name, direction: direction, reason: reason, hint: hint)
        }
        if direction == .ingress, choice.mechanism == .htb || choice.mechanism == .edt {
            if rule.scope.direction == nil {
                choice = Choice(mechanism: .police, reason: "what has arrived can be dropped, not delayed")
            } else {
                return plan.refusals.append(no("\(choice.mechanism.rawValue) is for egress alone", "mechanism: police"))
            }
        }
        if let note = capNote(rule, direction, choice.mechanism) { plan.notes.append(note) }
        switch choice.mechanism {
        case .auto: add(rule, direction, choice, Shaper(.nothing, dscp: rule.dscp))
        case .htb: addClasses(rule, choice)
        case .edt where !hasFQ:
            plan.refusals.append(
                no(
                    "nothing on \(site.interface) keeps departure times: its root qdisc is not fq",
                    site.qdiscs.contains("fq") ? "tc qdisc replace dev \(site.interface) root fq" : "the kernel has no fq; mechanism: htb"))
        case .edt, .police:
            guard rule.parent == nil else {
                return plan.refusals.append(no("a share of \(rule.parent ?? "") needs classes", "mechanism: htb, direction: egress"))
            }
            let rate = rule.ceiling ?? rule.rate ?? BitRate(bitsPerSecond: 0)
            guard rate >= Shaper.lowestRate || hasPrefixRates(rule) else {
                return plan.refusals.append(no("it has no rate", "give it a rate or a ceiling"))
            }
            let burst = rule.burst ?? Shaper.defaultBurst(rate, largestFrame: site.largestFrame)
            add(rule, direction, choice, Shaper(choice.mechanism == .edt ? .depart(rate) : .police(rate, burst: burst)))
        }
    }

    /// A guarantee alone, of nothing: it is granted and no more than that, which is to be told.
    private func capNote(_ rule: ShapeRule, _ direction: Direction, _ mechanism: ShapeRule.Mechanism) -> String? {
        guard rule.isCappedByItsRate(onLinkOfKnownCapacity: mechanism == .htb && site.capacity != nil) else { return nil }
        let how =
            direction == .ingress ? "what arrives is policed, and nothing can be kept for it" : "nothing is known that it is a share of"
        return "\(rule.name): its rate is its ceiling too: \(how)"
    }

    private mutating func add(
        _ rule: ShapeRule, _ direction: Direction, _ choice: Choice, _ shaper: Shaper, ownClass: UInt16? = nil
    ) {
        var shaper = shaper
        shaper.sharing = sharing(rule)
        shaper.members = members(of: rule, direction)
        shaper.dscp = rule.dscp
        shaper.marksCongestion = rule.ecn
        shaper.overhead = rule.overhead
        plan.decisions.append(
            .init(
                rule: rule.name, direction: direction, mechanism: choice.mechanism, shaper: shaper, reason: choice.reason,
                ownClass: ownClass, shortfall: choice.shortfall))
    }

    private mutating func members(of rule: ShapeRule, _ direction: Direction) -> [Shaper.Member] {
        guard case .prefixes(_, let list) = rule.aggregation else { return [] }
        let key = "\(direction.rawValue) \(rule.name)"
        usedMembers.insert(key)
        return plan.numbers.members(of: key, list)
    }

    // MARK: classes

    /// The class for a rule, and below it those of its flows, hosts or prefixes, or one for what its children leave.
    private mutating func addClasses(_ rule: ShapeRule, _ choice: Choice) {
        func no(_ reason: String, _ hint: String) -> ShapePlan.Refusal {
            ShapePlan.Refusal(rule: rule.name, direction: .egress, reason: reason, hint: hint)
        }
        if let problem = noClasses { return plan.refusals.append(no(problem.reason, problem.hint)) }
        var parent = site.capacity == nil ? UInt16(0) : ShapeNumbers.link
        if let above = rule.parent {
            guard let number = classes[above] else {
                return plan.refusals.append(no("its parent \(above) has no class", "see what is said of \(above)"))
            }
            parent = number
        }
        let members = members(of: rule, .egress)
        let highest = members.map(\.rate).max()
        guard let ceiling = rule.ceiling ?? limit(above: rule) ?? rule.rate ?? highest else {
            return plan.refusals.append(
                no(
                    "there is no telling what it may have at most",
                    "give it a ceiling, or declare the capacity of \(site.interface) under links"))
        }
        if parent == 0, let rate = rule.rate, rate < ceiling {
            return plan.refusals.append(
                no(
                    "a guarantee is a share of something",
                    "declare the capacity of \(site.interface) under links, or give the rule a parent"))
        }
        let count = leafCount(rule, members)
        // Hosts, flows and prefixes share nothing, unless a limit is set for all prefixes together.
        let sharesCeiling = rule.aggregation == .aggregate || (!members.isEmpty && rule.ceiling != nil)
        let needsOwn = count > 1 && sharesCeiling || parents.contains(rule.name)
        guard let leaves = take(rule, .leaves, parent, count), let own = needsOwn ? take(rule, .own, parent, 1) : leaves else {
            return plan.refusals.append(no("there are no class numbers left", "65,000 classes are the most on an interface"))
        }
        let guaranteed = rule.rate ?? (parent == 0 ? ceiling : BitRate(bitsPerSecond: max(ceiling.bitsPerSecond / 1000, 8000)))
        let number = UInt16(own.lowerBound)
        tree.classes[number] = htb(rule, number, parent, guaranteed, ceiling, isLeaf: !needsOwn)
        classes[rule.name] = number
        if needsOwn || count > 1 || !members.isEmpty {
            addLeaves(rule, needsOwn ? number : parent, leaves, count, members, guaranteed, ceiling)
        }
        // Leaves that share nothing have no class above them that is the rule's.
        let isOwn = needsOwn || leaves.count == 1
        add(
            rule, .egress, choice, Shaper(.htb(first: UInt16(leaves.lowerBound), count: members.isEmpty ? count : leaves.count)),
            ownClass: isOwn ? number : nil)
    }

    private mutating func addLeaves(
        _ rule: ShapeRule, _ parent: UInt16, _ range: Range<Int>, _ count: Int, _ members: [Shaper.Member], _ guaranteed: BitRate,
        _ ceiling: BitRate
    ) {
        guard members.isEmpty else {
            for member in members {
                let number = UInt16(range.lowerBound + member.number)
                tree.classes[number] = htb(rule, number, parent, member.rate, member.rate, isLeaf: true)
            }
            return
        }
        // The flows of an aggregate share what it is granted. Of hosts and flows each has the whole; with no class above there is none to
        // borrow it from.
        let isShared = rule.aggregation == .aggregate
        let share = BitRate(bitsPerSecond: max(guaranteed.bitsPerSecond / Double(count), 1000))
        for number in range.prefix(count).map({ UInt16($0) }) {
            tree.classes[number] = htb(rule, number, parent, isShared || parent != 0 ? share : ceiling, ceiling, isLeaf: true)
        }
    }

    private mutating func take(_ rule: ShapeRule, _ role: ShapeNumbers.Part.Role, _ parent: UInt16, _ count: Int) -> Range<Int>? {
        let part = ShapeNumbers.Part(rule: rule.name, role: role, parent: parent)
        usedParts.insert(part)
        return plan.numbers.range(part, count: count)
    }

    private func leafCount(_ rule: ShapeRule, _ members: [Shaper.Member]) -> Int {
        if !members.isEmpty { return (members.map(\.number).max() ?? 0) + 1 }
        if rule.aggregation != .aggregate { return ShapePlan.fairLeaves }
        return rules.count <= ShapePlan.mostFairRules ? ShapePlan.fairLeaves : 1
    }

    /// What the rules above, or the link, leave at most.
    private func limit(above rule: ShapeRule) -> BitRate? {
        var at = rule.parent.flatMap { byName[$0] }
        while let parent = at {
            if let ceiling = parent.ceiling ?? parent.rate { return ceiling }
            at = parent.parent.flatMap { byName[$0] }
        }
        return site.capacity
    }

    private func htb(
        _ rule: ShapeRule, _ minor: UInt16, _ parent: UInt16, _ rate: BitRate, _ ceiling: BitRate, isLeaf: Bool
    ) -> HTBClass {
        func burst(_ rate: BitRate) -> ByteCount { rule.burst ?? Shaper.defaultBurst(rate, largestFrame: site.largestFrame) }
        // A turn is longer for those who are granted more, so that what is left over is shared in proportion.
        let turn = UInt32(min(max(rate.bitsPerSecond / 8 / 1000, Double(site.largestFrame)), 60_000))
        return HTBClass(
            minor: minor, parent: parent, rate: rate, ceiling: ceiling, burst: burst(rate), ceilingBurst: burst(ceiling),
            priority: isLeaf ? UInt32(rule.priority) : 0, quantum: isLeaf ? turn : 0, overhead: UInt16(clamping: rule.overhead))
    }

    /// The link itself, and a class for what no rule is about: granted what the guarantees leave, and all that is not used.
    private mutating func addLinkClass(_ capacity: BitRate) {
        let link = ShapeNumbers.link
        let burst = Shaper.defaultBurst(capacity, largestFrame: site.largestFrame)
        let promised = tree.classes.values.filter { $0.parent == link }.reduce(0.0) { $0 + Double($1.rate) * 8 }
        if promised > capacity.bitsPerSecond {
            plan.notes.append("more is guaranteed on \(site.interface) than its \(capacity): guarantees will not hold")
        }
        let rest = BitRate(bitsPerSecond: max(capacity.bitsPerSecond - promised, capacity.bitsPerSecond / 100))
        tree.classes[link] = HTBClass(minor: link, rate: capacity, ceiling: capacity, burst: burst, ceilingBurst: burst)
        tree.classes[HTBTree.defaultMinor] = HTBClass(
            minor: HTBTree.defaultMinor, parent: link, rate: rest, ceiling: capacity, burst: burst, ceilingBurst: burst, priority: 3,
            quantum: 60_000)
    }
}
