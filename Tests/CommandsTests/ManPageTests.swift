import Configuration
import Foundation
import Testing

@testable import Commands

/// The man page tells of every command and option that there is.
struct ManPageTests {
    private static let text: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return ((try? String(contentsOf: root.appendingPathComponent("docs/nilo.8"), encoding: .utf8)) ?? "").replacing("\\-", with: "-")
    }()

    /// Without roff's requests and quotes.
    private static func words(_ part: Substring) -> Set<String> {
        Set(part.split { !$0.isLetter && $0 != "-" }.map(String.init))
    }

    /// The verbs in parentheses behind an option that many have.
    private func verbs(behind option: String) throws -> Set<String> {
        let common = try #require(Self.text.range(of: ".SH Common options") ?? Self.text.range(of: ".SS Common options"))
        let at = try #require(Self.text.range(of: option, range: common.upperBound..<Self.text.endIndex))
        let open = try #require(Self.text.range(of: "(", range: at.upperBound..<Self.text.endIndex))
        let close = try #require(Self.text.range(of: ").", range: open.upperBound..<Self.text.endIndex))
        return Self.words(Self.text[open.upperBound..<close.lowerBound]).subtracting(["BR", "RB"])
    }

    private static let verbs = NiloCommands.table.specifications

    @Test(arguments: ["json", "socket"]) func commonOptionsNameTheirVerbs(option: String) throws {
        let have = Self.verbs.filter { $0.options.contains { $0.name == option } }.map(\.name)
        // Theirs means another thing, or is described with them.
        let own: Set = option == "socket" ? ["agent", "doctor", "cleanup"] : []
        #expect(try verbs(behind: "--\(option)") == Set(have).subtracting(own))
    }

    @Test func everyVerbIsThere() {
        for verb in Self.verbs where verb.name != "help" && verb.name != "completion" {
            #expect(Self.text.contains("nilo \(verb.name)") || Self.text.contains("\\fB\(verb.name)\\fR"), "\(verb.name)")
        }
    }

    /// Those of rules are the keys of their files.
    @Test func everyOptionIsThere() {
        for verb in Self.verbs where !["mirror", "sample", "shape"].contains(verb.name) {
            for option in verb.options { #expect(Self.text.contains("--\(option.name)"), "\(verb.name) --\(option.name)") }
        }
    }

    @Test func keysOfTopAreThere() {
        let top = Self.text.components(separatedBy: ".SS nilo top")[1].components(separatedBy: ".SS nilo flows")[0]
        for key in ["r", "b", "p", "t", "x", "R", "/", "i", "m", "c", "f", "h", "q"] {
            #expect(
                top.contains(".B \(key)\n") || top.contains(" \(key) \"") || top.contains(".BR \(key) ") || top.contains(" \(key)\n"),
                "\(key)")
        }
    }

    /// The example is a policy as the agent reads it.
    @Test func theExampleIsAPolicy() throws {
        let example = try #require(Self.text.range(of: "\nmirror:\n"))
        let end = try #require(Self.text.range(of: "\n.fi", range: example.upperBound..<Self.text.endIndex))
        let text = Self.text[example.lowerBound..<end.lowerBound]
        let file = try PolicyFile.parse(Array(text.utf8), file: "example.yaml")
        #expect(file.policy.mirrors.count == 1 && file.policy.samplers.count == 1 && file.policy.shapers.count == 1)
    }
}
