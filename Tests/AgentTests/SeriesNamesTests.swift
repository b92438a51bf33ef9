import Foresight
import Testing
import Topology

@testable import Agent

/// Series by the names that lists show.
struct SeriesNamesTests {
    private static let network = NetworkKey.declared("lab")

    private static func end(_ last: UInt8) -> NodeKey { .endpoint(network, .v4(0x0a00_0000 | UInt32(last))) }

    private static let va = NodeKey.interface(NamespaceKey(host: "web-1", name: "vm"), "va")
    private static let jobs = NodeKey.application("jobs")
    private static let talk = LinkKey(.talks, end(1), end(2), .flow(.udp, port: 7000, application: nil))

    private static func names() -> SeriesNames {
        var keys: [String] = []
        for subject in ["total", "\(va)", "\(jobs)", "\(talk)", "disk"] {
            for isBackward in [false, true] {
                keys.append(SeriesKey(subject, .bits, isBackward: isBackward).text)
                if subject != "disk" { keys.append(SeriesKey(subject, .packets, isBackward: isBackward).text) }
            }
        }
        for gauge in ["cpu", "space"] { keys.append(SeriesKey(gauge, .level, isBackward: false).text) }
        return SeriesNames(keys)
    }

    @Test(arguments: [
        ("all traffic", "total"), ("all traffic to servers", "total"), ("vm:va", "\(va)"), ("vm:va sent", "\(va)"), ("va sent", "\(va)"),
        ("jobs to servers", "\(jobs)"), ("10.0.0.1 → 10.0.0.2 udp/7000", "\(talk)"), ("10.0.0.2 -> 10.0.0.1 udp/7000", "\(talk)"),
        ("10.0.0.1 – 10.0.0.2", "\(talk)"), ("10.0.0.1 - 10.0.0.2 udp/7000", "\(talk)"), ("disks written", "disk"), ("disks", "disk"),
        ("disk space", "space"), ("cpu", "cpu"),
    ])
    func whatListsShowIsFound(name: String, subject: String) throws {
        #expect(try Self.names().subject(name) == subject)
    }

    @Test func whatIsNotWatchedIsNotFound() throws {
        for name in ["vm:vb", "vm:va received sent", "a sent", "vb sent", "10.0.0.1", ""] {
            #expect(try Self.names().subject(name) == nil, "\(name)")
        }
    }

    @Test func aNameIsSilencedByItsKeys() {
        let names = Self.names()
        #expect(
            names.patterns("vm:va sent", subject: nil) == ["*<\(Self.va)"] && names.patterns("va sent", subject: nil) == ["*<\(Self.va)"])
        #expect(names.patterns("vm:va", subject: "\(Self.va)") == ["*<\(Self.va)", "*>\(Self.va)"])
        #expect(names.patterns("\(Self.va)", subject: "\(Self.va)") == ["*<\(Self.va)", "*>\(Self.va)"])
        #expect(names.patterns("10.0.0.2 → 10.0.0.1 udp/7000", subject: nil) == ["*<\(Self.talk)"])
        #expect(names.patterns("*if/va*", subject: nil) == ["*if/va*"] && names.patterns("nothing", subject: "x") == ["nothing"])
        let key = SeriesKey("\(Self.jobs)", .bits, isBackward: false).text
        #expect(names.patterns(key, subject: nil) == [key])
    }

    @Test func aSilenceSaysWhatItMeans() {
        let names = Self.names()
        #expect(names.matched(["*<\(Self.va)"]) == ["vm:va sent"])
        #expect(names.matched(["*disk", "*>cpu"]) == ["cpu", "disks read", "disks written"] && names.matched(["vm:va sent"]).isEmpty)
    }

    @Test func sharesEndAtTheWhole() throws {
        let cpu = SeriesKey("cpu", .level, isBackward: false)
        #expect(132.0.clamped(to: cpu.bounds) == 100 && (-1.0).clamped(to: cpu.bounds) == 0)
        let memory = SeriesKey("memory", .level, isBackward: false)
        #expect(memory.bounds.upperBound > 1e6 && memory.bounds.upperBound.isFinite)
        #expect(SeriesKey("total", .bits, isBackward: false).bounds.upperBound == .infinity)
    }
}
