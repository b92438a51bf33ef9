import Testing
import Topology
import TopologySupport

@testable import Agent

struct SeriesSubjectTests {
    /// Names may hold nearly anything (the kernel refuses `/`, `:` and white space alone), and are asked for as they are, or as keys write them.
    @Test(arguments: ["\u{1b}[31mXY", "a\u{7f}b", "\u{1}"])
    func aNameThatSteersATerminalIsAskedFor(name: String) throws {
        var network = SmallNetwork()
        network.tell([.link(LinkFact(index: 9, name: name))], in: "init")
        let snapshot = network.commit()
        let key = try snapshot.seriesSubject(name)
        guard case .interface(_, let found)? = NodeKey(key) else { throw TopologyRefusal.notYet }
        #expect(found == name)
        #expect(try snapshot.seriesSubject(key) == key && snapshot.seriesSubject("init/if/\(name)") == key)
        #expect(throws: TopologyRefusal.self) { try snapshot.seriesSubject("\u{1b}nothing") }
    }
}
