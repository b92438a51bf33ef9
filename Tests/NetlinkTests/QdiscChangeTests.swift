import CNetlink
import Glibc
import NetworkTypes
import Policy
import TestSupport
import Testing

@testable import Netlink

/// Our qdisc and classes come and go as asked, and nothing else is touched: `tc` is asked before and after.
@Suite(.requires(.htb)) struct QdiscChangeTests {
    private static func mbit(_ n: Double) -> BitRate { BitRate(bitsPerSecond: n * 1e6) }
    private static func htb(_ minor: UInt16, below parent: UInt16 = 0, _ rate: Double, _ ceiling: Double) -> HTBClass {
        HTBClass(
            minor: minor, parent: parent, rate: mbit(rate), ceiling: mbit(ceiling), burst: ByteCount(20_000),
            ceilingBurst: ByteCount(300_000),
            priority: minor >= 16 ? 2 : 0, quantum: minor >= 16 ? 3000 : 0, overhead: 24)
    }
    private static let tree = HTBTree([htb(1, 100, 100), htb(16, below: 1, 10, 100), htb(17, below: 1, 20, 50_000)])
    private static let show = "tc qdisc show dev va; tc class show dev va"

    private static func index(_ namespace: TestNamespace) async throws -> Int32 { Int32(try await namespace.index(of: "va")) }

    @Test func aTreeIsMadeChangedAndRemoved() async throws {
        let pair = try await Pair()
        let index = try await Self.index(pair.a)
        let before = try await pair.a.sh(Self.show)
        let made = try await pair.a.withSocket { socket in
            #expect(try socket.rootQdisc(of: index) == .kernelDefault(kind: "noqueue"))
            try socket.apply(QdiscChange.changes(from: nil, to: Self.tree), to: index)
            return try socket.rootQdisc(of: index)
        }
        #expect(made == .ours(Self.tree) && QdiscChange.changes(from: Self.tree, to: Self.tree).isEmpty)
        let shown = try await pair.a.sh(Self.show)
        #expect(shown.contains("qdisc htb 4e49: root") && shown.contains("class htb 4e49:10 parent 4e49:1 "))
        #expect(shown.contains("rate 10Mbit overhead 24 ceil 100Mbit") && shown.contains("ceil 50Gbit"))

        var wanted = Self.tree
        wanted.classes[17] = nil
        wanted.classes[16] = Self.htb(16, below: 1, 11, 90)
        wanted.classes[18] = Self.htb(18, below: 1, 5, 50)
        let changes = QdiscChange.changes(from: Self.tree, to: wanted)
        #expect(
            changes == [
                .addClass(Self.htb(18, below: 1, 5, 50)),
                .changeClass(Self.htb(16, below: 1, 11, 90), from: Self.htb(16, below: 1, 10, 100)),
                .removeClass(Self.htb(17, below: 1, 20, 50_000)),
            ])
        let after = try await pair.a.withSocket { [wanted] socket in
            try socket.apply(changes, to: index)
            let changed = try socket.rootQdisc(of: index)
            try socket.apply(QdiscChange.changes(from: wanted, to: nil), to: index)
            return changed
        }
        #expect(after == .ours(wanted))
        #expect(try await pair.a.sh(Self.show) == before)
    }

    /// What a person would type makes the same as the request, as far as tc, which counts in microseconds, can say it.
    @Test func theCommandsSayTheSame() async throws {
        let typed = try await Pair()
        let requested = try await Pair()
        let changes = QdiscChange.changes(from: nil, to: Self.tree)
        try await typed.a.sh(changes.map { $0.command(on: "va") }.joined(separator: "\n"))
        let index = try await Self.index(requested.a)
        try await requested.a.withSocket { try $0.apply(changes, to: index) }
        let show = "tc qdisc show dev va; tc -d class show dev va | sed 's/ leaf [0-9a-f]*://'"
        #expect(try await typed.a.sh(show) == requested.a.sh(show))
        for change in [
            QdiscChange.changeClass(Self.htb(16, below: 1, 1, 2), from: Self.htb(16, below: 1, 10, 100)),
            .removeClass(Self.htb(17, below: 1, 20, 50_000)),
        ] {
            try await typed.a.sh(change.command(on: "va"))
            try await requested.a.withSocket { try $0.apply([change], to: index) }
        }
        #expect(try await typed.a.sh(show) == requested.a.sh(show))
        try await typed.a.sh(QdiscChange.removeRoot(Self.tree).command(on: "va"))
    }

    @Test func aRefusedChangeTakesTheOthersBack() async throws {
        let pair = try await Pair()
        let index = try await Self.index(pair.a)
        let before = try await pair.a.sh(Self.show)
        var broken = Self.tree
        broken.classes[20] = HTBClass(minor: 20, parent: 1, rate: 0, ceiling: 1, buffer: 1, ceilingBuffer: 1, quantum: 1)
        let wrong = QdiscChange.changes(from: nil, to: broken)
        let refused = try await pair.a.withSocket { socket in
            #expect(throws: NetlinkError.self) { try socket.apply(wrong, to: index) }
        }
        #expect(refused?.code == EINVAL && refused?.operation.contains("parent 4e49:1 classid 4e49:14") == true)
        #expect(refused?.detail.contains("then") == false)
        #expect(try await pair.a.sh(Self.show) == before)
        // In the middle of a change, too.
        let now = try await pair.a.withSocket { [broken] socket in
            try socket.apply(QdiscChange.changes(from: nil, to: Self.tree), to: index)
            var next = broken
            next.classes[17] = nil
            next.classes[16] = Self.htb(16, below: 1, 3, 4)
            let changes = QdiscChange.changes(from: Self.tree, to: next)
            #expect(throws: NetlinkError.self) { try socket.apply(changes, to: index) }
            return try socket.rootQdisc(of: index)
        }
        #expect(now == .ours(Self.tree))
    }

    /// Somebody else removes what we are about to remove.
    @Test func whatHasGoneMeanwhileIsRemoved() async throws {
        let pair = try await Pair()
        let index = try await Self.index(pair.a)
        let before = try await pair.a.sh(Self.show)
        try await pair.a.withSocket { try $0.apply(QdiscChange.changes(from: nil, to: Self.tree), to: index) }
        try await pair.a.sh("tc class del dev va classid 4e49:11")
        let leaf = try #require(Self.tree.classes[17])
        try await pair.a.withSocket { try $0.apply([.removeClass(leaf)], to: index) }
        try await pair.a.sh("tc qdisc del dev va root")
        try await pair.a.withSocket { try $0.apply([.removeClass(leaf), .removeRoot(Self.tree)], to: index) }
        #expect(try await pair.a.sh(Self.show) == before)
        // Another one in its place stays.
        try await pair.a.sh("tc qdisc add dev va root handle 8001: pfifo limit 7")
        let others = try await pair.a.sh(Self.show)
        try await pair.a.withSocket { try $0.apply([.removeRoot(Self.tree)], to: index) }
        #expect(try await pair.a.sh(Self.show) == others)
        // One that is there and cannot go is refused as before: it has a class below it.
        try await pair.a.sh("tc qdisc del dev va root")
        let refused = try await pair.a.withSocket { socket in
            try socket.apply(QdiscChange.changes(from: nil, to: Self.tree), to: index)
            return #expect(throws: NetlinkError.self) { try socket.apply([.removeClass(Self.htb(1, 100, 100))], to: index) }
        }
        #expect(refused?.code == EBUSY, "\(refused as Any)")
    }

    @Test func thousandsOfClassesGoInBatches() async throws {
        let pair = try await Pair()
        let index = try await Self.index(pair.a)
        var tree = HTBTree([Self.htb(1, 1000, 1000)])
        for minor: UInt16 in 16..<1016 { tree.classes[minor] = Self.htb(minor, below: 1, 1, 10) }
        let (seen, steps) = try await pair.a.withSocket { [tree] socket in
            var steps: [Int] = []
            try socket.apply(QdiscChange.changes(from: nil, to: tree), to: index) { steps.append($0) }
            return (try socket.rootQdisc(of: index), steps)
        }
        #expect(seen == .ours(tree) && steps.count == 8 && steps.last == 1002)
    }

    @Test(arguments: ["tbf rate 10mbit burst 20k latency 50ms", "pfifo limit 77", "bfifo limit 7777", "pfifo_fast"])
    func aForeignQdiscComesBackAsItWas(arguments: String) async throws {
        let pair = try await Pair()
        try await Self.exchange(pair, arguments)
    }

    @Test(.requires(.fq)) func fqComesBackAsItWas() async throws {
        try await Self.exchange(try await Pair(), "fq limit 5000 quantum 4000 maxrate 10mbit horizon 3s")
    }

    @Test(
        .requires(.tc("the fq_codel qdisc", "root fq_codel")),
        arguments: ["", " target 7ms interval 77ms limit 500 noecn", " ce_threshold 3ms"])
    func fqCodelComesBackAsItWas(parameters: String) async throws {
        try await Self.exchange(try await Pair(), "fq_codel" + parameters)
    }

    private static func exchange(_ pair: Pair, _ arguments: String) async throws {
        try await pair.a.sh("tc qdisc add dev va root handle 77: \(arguments)")
        let index = try await Self.index(pair.a)
        let before = try await pair.a.sh("tc -d qdisc show dev va")
        let kind = arguments.split(separator: " ")[0]
        let (root, ours) = try await pair.a.withSocket { socket in
            let root = try socket.rootQdisc(of: index)
            guard case .foreign(_, let recipe?, _) = root else { return (root, root) }
            try socket.apply(QdiscChange.changes(from: nil, to: Self.tree, replacing: recipe), to: index)
            let ours = try socket.rootQdisc(of: index)
            try socket.apply(QdiscChange.changes(from: Self.tree, to: nil, restoring: recipe), to: index)
            return (root, ours)
        }
        guard case .foreign(String(kind), .some, "") = root else {
            Issue.record("\(root)")
            return
        }
        #expect(ours == .ours(Self.tree))
        #expect(try await pair.a.sh("tc -d qdisc show dev va") == before)
        // Of fq, the command has not every parameter.
        guard case .foreign(_, let recipe?, _) = root, recipe.kind != "fq" else { return }
        let typed = QdiscChange.restoreForeign(recipe).command(on: "va")
        try await pair.a.sh("tc qdisc del dev va root; \(typed)")
        #expect(try await pair.a.sh("tc -d qdisc show dev va") == before, "\(typed)")
    }

    @Test func whatCannotComeBackIsNotTaken() async throws {
        for (commands, kind, reason) in [
            ("tc qdisc add dev va root handle 1: htb default 1", "htb", "cannot be put back"),
            (
                "tc qdisc add dev va root handle 1: tbf rate 1mbit burst 10k latency 9ms; tc qdisc add dev va parent 1:1 handle 2: pfifo",
                "tbf",
                "holds a pfifo"
            ),
        ] {
            let pair = try await Pair()
            try await pair.a.sh(commands)
            let index = try await Self.index(pair.a)
            let root = try await pair.a.withSocket { try $0.rootQdisc(of: index) }
            guard case .foreign(kind, nil, let why) = root else {
                Issue.record("\(root)")
                continue
            }
            #expect(why.contains(reason))
        }
    }
}
