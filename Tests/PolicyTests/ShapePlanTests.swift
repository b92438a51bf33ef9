import Flows
import NetworkTypes
import Policy
import Testing

@Suite struct ShapePlanTests {
    private static func mbit(_ n: Double) -> BitRate { BitRate(bitsPerSecond: n * 1e6) }
    private static func rule(
        _ name: String, _ direction: Direction? = .egress, rate: Double? = nil, ceiling: Double? = nil,
        _ aggregation: ShapeRule.Aggregation = .aggregate, parent: String? = nil, _ change: (inout ShapeRule) -> Void = { _ in }
    ) -> ShapeRule {
        var rule = ShapeRule(
            name: name, scope: RuleScope(direction: direction), rate: rate.map(mbit), ceiling: ceiling.map(mbit), aggregation: aggregation,
            parent: parent)
        change(&rule)
        return rule
    }
    private static let site = ShapeSite(interface: "va")
    private static var link: ShapeSite {
        var site = Self.site
        site.capacity = mbit(1000)
        return site
    }

    @Test func nothingIsPlannedForNothing() {
        let plan = ShapePlan.make([], on: Self.site)
        #expect(plan == ShapePlan())
    }

    /// A class that the rule's rate is kept by is told from those that its packets wait in.
    @Test func aRuleKnowsItsOwnClass() throws {
        let plan = ShapePlan.make(
            [
                Self.rule("cap", ceiling: 10),
                Self.rule("one", ceiling: 5) {
                    $0.aggregation = .flow; $0.mechanism = .htb
                },
            ], on: Self.site)
        let tree = try #require(plan.tree)
        let cap = try #require(plan.decisions.first { $0.rule == "cap" })
        let own = try #require(cap.ownClass.flatMap { tree.classes[$0] })
        #expect(own.ceiling == 1_250_000)
        guard case .htb(let first, let count) = cap.shaper.action else {
            Issue.record("\(cap)")
            return
        }
        #expect(count == 64 && tree.classes[first]?.parent == own.minor)
        // Each flow has a ceiling of its own: there is none that is the rule's.
        #expect(plan.decisions.first { $0.rule == "one" }?.ownClass == nil)
    }

    /// A policer in the place of a class is no secret.
    @Test func whatAForeignQdiscTakesAwayIsTold() throws {
        var foreign = Self.site
        foreign.root = .foreign("tbf", irreplaceable: nil)
        let cap = try #require(ShapePlan.make([Self.rule("cap", ceiling: 10)], on: foreign).decisions.first)
        #expect(cap.mechanism == .police && cap.shortfall?.contains("tbf") == true && cap.shortfall?.contains("--replace") == true)
        // It would be policed anyway.
        let host = try #require(ShapePlan.make([Self.rule("host", ceiling: 1, .host(.source))], on: foreign).decisions.first)
        #expect(host.mechanism == .police && host.shortfall == nil)
        #expect(ShapePlan.make([Self.rule("cap", ceiling: 10)], on: Self.site).decisions.first?.shortfall == nil)
    }

    @Test func aChangedClassSaysWhatChanged() {
        func one(_ ceiling: Double, _ priority: UInt32 = 3) -> HTBClass {
            HTBClass(
                minor: 2, rate: Self.mbit(10), ceiling: Self.mbit(ceiling), burst: ByteCount(20_000), ceilingBurst: ByteCount(20_000),
                priority: priority)
        }
        let reason = QdiscChange.changeClass(one(40, 5), from: one(20)).reason
        #expect(reason == "ceiling \(Self.mbit(20)) → \(Self.mbit(40)), priority 3 → 5", "\(reason ?? "none")")
        #expect(QdiscChange.addClass(one(1)).reason == nil)
    }

    @Test func theMechanismIsChosenWithAReason() {
        func chosen(_ rule: ShapeRule, _ site: ShapeSite) -> [ShapeRule.Mechanism] {
            let plan = ShapePlan.make([rule], on: site)
            #expect(plan.decisions.allSatisfy { !$0.reason.isEmpty } && (plan.refusals.isEmpty || plan.decisions.isEmpty))
            return plan.decisions.map(\.mechanism)
        }
        var fq = Self.site
        fq.root = .foreign("fq", irreplaceable: nil)
        var foreign = Self.site
        foreign.root = .foreign("cake", irreplaceable: "no recipe")
        let cap = Self.rule("cap", ceiling: 10)
        #expect(chosen(cap, Self.site) == [.htb] && chosen(cap, fq) == [.edt] && chosen(cap, foreign) == [.police])
        #expect(chosen(Self.rule("both", nil, ceiling: 10), Self.site) == [.police, .htb])
        #expect(chosen(Self.rule("host", ceiling: 1, .host(.source)), Self.site) == [.police])
        #expect(chosen(Self.rule("host", ceiling: 1, .host(.source)), fq) == [.edt])
        #expect(chosen(Self.rule("mark") { $0.dscp = 46 }, foreign) == [.auto])
        #expect(chosen(Self.rule("guaranteed", rate: 10, ceiling: 20), Self.link) == [.htb])
        // Not silently without effect.
        for (rule, site) in [
            (Self.rule("e", ceiling: 1) { $0.mechanism = .edt }, Self.site), (Self.rule("h", ceiling: 1) { $0.mechanism = .htb }, foreign),
            (Self.rule("i", .ingress, ceiling: 1) { $0.mechanism = .htb }, Self.site), (Self.rule("g", rate: 1, ceiling: 2), Self.site),
            (Self.rule("nothing"), Self.site), (Self.rule("low", ceiling: 0.0001), Self.site),
            (Self.rule("x", rate: 2, ceiling: 1), Self.site),
            (Self.rule("orphan", ceiling: 1, parent: "gone"), Self.site), (Self.rule("self", ceiling: 1, parent: "self"), Self.site),
            (Self.rule("side", ceiling: 1, .host(.either)), Self.site),
        ] {
            let plan = ShapePlan.make([rule], on: site)
            #expect(plan.decisions.isEmpty && plan.refusals.count == 1 && plan.tree == nil, "\(rule.name)")
            #expect(plan.refusals.allSatisfy { !$0.reason.isEmpty && !$0.hint.isEmpty })
        }
    }

    @Test func aForeignRootIsReplacedOnlyWhenAllowed() {
        var site = Self.site
        site.root = .foreign("tbf", irreplaceable: nil)
        let rule = Self.rule("h", ceiling: 1) { $0.mechanism = .htb }
        #expect(ShapePlan.make([rule], on: site).refusals.first?.hint.contains("--replace") == true)
        site.mayReplace = true
        #expect(ShapePlan.make([rule], on: site).tree != nil)
        site.root = .foreign("cake", irreplaceable: "it cannot be put back")
        #expect(ShapePlan.make([rule], on: site).refusals.first?.reason.contains("cannot be put back") == true)
    }

    @Test func nestedRulesBecomeNestedClasses() throws {
        let rules = [
            Self.rule("tenant", rate: 100, ceiling: 200), Self.rule("web", rate: 60, parent: "tenant"),
            Self.rule("backup", parent: "tenant") { $0.priority = 7 },
        ]
        let plan = ShapePlan.make(rules, on: Self.link)
        #expect(plan.refusals.isEmpty && plan.decisions.map(\.rule) == ["web", "backup", "tenant"])
        let tree = try #require(plan.tree)
        #expect(tree.classes[1]?.rate == 125_000_000)
        let tenant = try #require(tree.classes.values.first { $0.parent == 1 && $0.rate == 12_500_000 })
        #expect(tenant.ceiling == 25_000_000 && tenant.quantum == 0)
        let below = tree.classes.values.filter { $0.parent == tenant.minor }
        // web, backup, and the flows of neither.
        #expect(below.filter { $0.quantum == 0 }.count == 2 && below.filter { $0.quantum > 0 }.count == 64)
        #expect(below.allSatisfy { $0.ceiling <= 25_000_000 })
        // What no rule is about has all that is not promised, and may have all that is not used.
        let rest = try #require(tree.classes[HTBTree.defaultMinor])
        #expect(rest.rate == 112_500_000 && rest.ceiling == 125_000_000 && rest.parent == 1)
        // Packets go to leaves only.
        for decision in plan.decisions {
            guard case .htb(let first, let count) = decision.shaper.action else { continue }
            #expect((first..<first + UInt16(count)).allSatisfy { (tree.classes[$0]?.quantum ?? 0) > 0 })
        }
    }

    @Test func classesStayThoseOfTheirRules() throws {
        let a = Self.rule("a", ceiling: 1)
        let b = Self.rule("b", ceiling: 2)
        let c = Self.rule("c", ceiling: 3)
        let first = ShapePlan.make([a, b], on: Self.site)
        let second = ShapePlan.make([c, b], on: Self.site, after: first.numbers)
        let (was, now) = (try #require(first.tree), try #require(second.tree))
        let mine = was.classes.filter { $0.value.ceiling == 250_000 }
        #expect(mine.count == 65 && mine.allSatisfy { now.classes[$0.key] == $0.value })
        let changes = QdiscChange.changes(from: was, to: now)
        #expect(changes.count == 130)
        #expect(QdiscChange.changes(from: now, to: ShapePlan.make([c, b], on: Self.site, after: second.numbers).tree).isEmpty)
        // Another rate is a change in place.
        let third = ShapePlan.make([c, Self.rule("b", ceiling: 4)], on: Self.site, after: second.numbers)
        let inPlace = QdiscChange.changes(from: now, to: third.tree)
        #expect(inPlace.count == 65)
        #expect(inPlace.allSatisfy { if case .changeClass = $0 { true } else { false } })
        // There and back again.
        var undone = third.tree
        for change in inPlace.reversed().flatMap(\.undo) {
            if case .changeClass(let back, _) = change { undone?.classes[back.minor] = back }
        }
        #expect(undone == now)
    }

    @Test func prefixesKeepTheirNumbers() throws {
        func list(_ range: Range<UInt32>) -> [ShapeRule.PrefixRate] {
            range.map { .init(prefix: IPPrefix(.v4(0x0a00_0000 | $0 << 8), length: 24)!, rate: Self.mbit(1)) }
        }
        let first = ShapePlan.make([Self.rule("p", .egress, .prefixes(.source, list(0..<100)))], on: Self.site)
        let second = ShapePlan.make([Self.rule("p", .egress, .prefixes(.source, list(50..<150)))], on: Self.site, after: first.numbers)
        let (was, now) = (try #require(first.decisions.first).shaper, try #require(second.decisions.first).shaper)
        #expect(Set(now.members.map(\.number)) == Set(0..<100))
        let numbers = Dictionary(uniqueKeysWithValues: was.members.map { ($0.prefix, $0.number) })
        #expect(now.members.filter { numbers[$0.prefix] == $0.number }.count == 50)
        #expect(first.tree?.classes.count == 100 && QdiscChange.changes(from: first.tree, to: second.tree).isEmpty)
        let many = ShapePlan.make([Self.rule("p", .egress, .prefixes(.source, list(0..<5000)))], on: Self.site)
        #expect(many.decisions.map(\.mechanism) == [.police] && many.tree == nil)
    }

    /// Under the link, once its capacity is known, or under another rule: a class goes with all below it before it comes again.
    @Test func aClassThatMovesGoesWithAllBelowIt() throws {
        func htb(_ minor: UInt16, _ parent: UInt16) -> HTBClass {
            HTBClass(minor: minor, parent: parent, rate: 1, ceiling: 1, buffer: 1, ceilingBuffer: 1)
        }
        let before = HTBTree([htb(9, 0), htb(3, 9), htb(4, 9), htb(5, 0)])
        let after = HTBTree([htb(1, 0), htb(9, 1), htb(3, 9), htb(5, 0)])
        #expect(
            QdiscChange.changes(from: before, to: after) == [
                .removeClass(htb(4, 9)), .removeClass(htb(3, 9)), .removeClass(htb(9, 0)), .addClass(htb(1, 0)), .addClass(htb(9, 1)),
                .addClass(htb(3, 9)),
            ])
        let rule = [Self.rule("a", ceiling: 1)]
        let first = ShapePlan.make(rule, on: Self.site)
        let second = ShapePlan.make(rule, on: Self.link, after: first.numbers)
        // Its new classes have new numbers: they are there before the old ones go.
        let changes = QdiscChange.changes(from: first.tree, to: second.tree)
        let firstRemoval = try #require(changes.firstIndex { if case .removeClass = $0 { true } else { false } })
        #expect(changes.count == 132 && firstRemoval == 67)
    }
}
