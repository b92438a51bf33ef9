import NetworkTypes
import TestSupport
import Testing

@testable import Topology

/// What holds for any run of observations; the seed of a failure is in its message.
struct PropertyTests {
    private func isConsistent(_ snapshot: Snapshot) -> Bool {
        var nodes = 0
        var links = 0
        var ends = 0
        var isGood = true
        snapshot.forEachNode { id, key in
            nodes += 1
            ends += snapshot.links(of: id).count
            isGood = isGood && snapshot.id(of: key) == id && (key.parent == nil || snapshot.id(of: key.parent!) != nil)
        }
        snapshot.forEachLink { id, _, _, _ in
            links += 1
            isGood = isGood && snapshot.id(of: snapshot.key(of: id)) == id
        }
        return isGood && nodes == snapshot.nodeCount && links == snapshot.linkCount && ends == links * 2
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func stepByStepIsWhatADumpGives(seed: UInt64) {
        var world = RandomObservations(seed: seed)
        var builder = TopologyBuilder()
        builder.observe(.host(name: "h", HostState()))
        for step in 0..<40 {
            for _ in 0..<Int.random(in: 1...12, using: &world.random) { builder.observe(world.next()) }
            let snapshot = builder.commit(at: second(Int64(step)))
            #expect(isConsistent(snapshot), "seed \(seed), step \(step)")
            if step % 4 != 3 { continue }
            var fresh = TopologyBuilder()
            fresh.observe(world.fromNothing())
            let expected = fresh.commit(at: second(0))
            let difference = snapshot.difference(from: expected)
            #expect(difference.isEmpty, "seed \(seed), step \(step): \(difference.changes.prefix(3))")
        }
    }

    @Test(arguments: 100..<130 as Range<UInt64>)
    func aDifferenceMakesTheOneOfTheOther(seed: UInt64) {
        var world = RandomObservations(seed: seed)
        var builder = TopologyBuilder()
        builder.observe(.host(name: "h", HostState()))
        var history = [builder.commit(at: second(0))]
        var stored: [String: [UInt8]] = history[0].table
        for step in 1..<30 {
            for _ in 0..<8 { builder.observe(world.next()) }
            history.append(builder.commit(at: second(Int64(step))))
            // What a store does.
            for change in history[step].changes(since: history[step - 1]) { stored[change.key] = change.state }
            #expect(stored == history[step].table, "seed \(seed), step \(step)")
        }
        let kept = history.map(\.table)
        for _ in 0..<20 {
            let (a, b) = (Int.random(in: 0..<30, using: &world.random), Int.random(in: 0..<30, using: &world.random))
            let difference = history[b].difference(from: history[a])
            #expect(history[a].applying(difference, epoch: 0, at: second(0)).table == kept[b], "seed \(seed), \(a) to \(b)")
            // The same found by key, between graphs that have nothing in common.
            let restored = Snapshot.restored(from: history[a].entities.map { ($0.key, $0.state!) }, at: second(0))
            #expect(restored.losses == RestoreLosses())
            #expect(restored.snapshot.table == kept[a])
            #expect(history[b].difference(from: restored.snapshot) == difference, "seed \(seed), \(a) to \(b)")
            #expect(isConsistent(restored.snapshot))
            // All that was there at either time, as it was at the later one.
            let joined = history[b].joined(with: history[a].entities.map { ($0.key, $0.state!) })
            #expect(joined.table == kept[b].merging(kept[a]) { later, _ in later }, "seed \(seed), \(a) and \(b)")
            #expect(isConsistent(joined) && history[b].table == kept[b])
        }
    }

    @Test func whatCannotBeRestoredIsCounted() {
        let good = EntityState.plain.encoded
        let (snapshot, losses) = Snapshot.restored(
            from: [("vni/1", good), ("nonsense", good), ("vni/2/ip/10.0.0.1", [9, 9])], at: second(0))
        #expect(losses.badKeys == 1)
        #expect(losses.badStates == 1)
        #expect(snapshot.entities.map(\.key) == ["vni/1", "vni/2", "vni/2/ip/10.0.0.1"])
    }
}
