import Commands
import Flows
import NetworkTypes
import Testing

@Suite struct ParsedArgumentsTests {
    private static let specification = CommandSpecification(
        "try", summary: "Try",
        options: [
            OptionSpecification("top", short: "n", value: "N", help: "how many"), OptionSpecification("json", short: "j", help: "JSON"),
            OptionSpecification("verbose", short: "v", help: "more"),
            OptionSpecification("sort", value: "BY", choices: ["bytes", "rate"], help: "order"),
            OptionSpecification("add", value: "X", mayRepeat: true, help: "adds"),
            OptionSpecification("every", value: "TIME", help: "how often"),
        ], operand: .init("NAME", count: 0...2, help: "names"))

    private static func parse(_ words: String...) throws(CommandFailure) -> ParsedArguments {
        try ParsedArguments(words, for: specification)
    }

    @Test(arguments: [["--top", "5"], ["--top=5"], ["-n", "5"], ["-n5"], ["-n=5"], ["-jn5"], ["a", "-n", "5", "b"], ["-vjn", "5"]])
    func values(words: [String]) throws {
        let parsed = try ParsedArguments(words, for: Self.specification)
        #expect(try parsed.number("top", in: 1...10) == 5)
        #expect(parsed.operands == words.filter { $0 == "a" || $0 == "b" })
    }

    /// What is suggested is taken.
    @Test(arguments: [
        (Duration.milliseconds(100)...(.seconds(3600)), "as 500ms, 2s or 30s"), (.seconds(5)...Duration.seconds(86400), "as 30s, 5m or 1h"),
        (.seconds(2)...(.seconds(3)), "as 2s"),
    ]) func suggestedTimes(bounds: ClosedRange<Duration>, hint: String) throws {
        do throws(CommandFailure) {
            _ = try Self.parse("--every", "never").duration("every", in: bounds)
            Issue.record()
        } catch { #expect(error.hint == hint) }
    }

    @Test func forms() throws {
        let parsed = try Self.parse("-jv", "--add", "x", "--add=y=z", "--", "--top")
        #expect(parsed.has("json") && parsed.has("verbose") && !parsed.has("top"))
        #expect(parsed.values("add") == ["x", "y=z"])
        #expect(parsed.operands == ["--top"])
        #expect(try Self.parse("-").operands == ["-"])
        #expect(try Self.parse("--top", "--json").value("top") == "--json")
        #expect(try Self.parse("--help", "a", "b", "c").wantsHelp)
        #expect(try Self.parse("--add=").values("add") == [""])
    }

    @Test(arguments: [
        (["--topp", "5"], "there is no option --topp", "did you mean --top?"),
        (["--xyzzy"], "there is no option --xyzzy", "nilo help try lists them"),
        (["-x"], "there is no option -x", "nilo help try lists them"), (["--top"], "--top needs a value (N)", "nilo help try tells more"),
        (["-n"], "-n needs a value (N)", "nilo help try tells more"), (["--json=1"], "--json takes no value", "nilo help try tells more"),
        (["--sort", "byts"], "--sort cannot be \"byts\"", "did you mean bytes?"),
        (["--sort", "x"], "--sort cannot be \"x\"", "it is one of bytes, rate"),
        (["--top", "1", "-n2"], "-n is given twice", "nilo help try tells more"),
        (["a", "b", "c"], "\"c\" is one too many", "usage: nilo try [OPTION…] [NAME…]"),
    ]) func mistakes(words: [String], why: String, hint: String) {
        #expect(throws: CommandFailure("try", why, hint: hint, code: .usage)) { try ParsedArguments(words, for: Self.specification) }
    }

    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("2", .seconds(2)), ("1.5s", .milliseconds(1500)), ("5m", .seconds(300)),
        ("1h", .seconds(3600)), ("0.01d", .seconds(864)), ("0.005w", .seconds(3024)),
    ])
    func durations(text: String, duration: Duration) throws {
        #expect(try Self.parse("--every", text).duration("every", in: .zero...(.seconds(3600))) == duration)
    }

    @Test(arguments: ["", "x", "-1", "1d", "s", "1e3", "inf", "nan", "2h", "0x1s", "1..5s"]) func notDurations(text: String) {
        #expect(throws: CommandFailure.self) { try Self.parse("--every", text).duration("every", in: .zero...(.seconds(3600))) }
    }

    @Test func numbers() {
        for text in ["", "0", "11", "x", "5.0", " 5"] {
            #expect(throws: CommandFailure.self, "\(text)") { try Self.parse("--top", text).number("top", in: 1...10) }
        }
    }

    @Test func flows() throws {
        let verb = try FlowsVerb(
            ParsedArguments(["host", "10.0.0.1", "--top", "3", "and", "tcp port 443", "-s", "bytes", "-r"], for: FlowsVerb.specification))
        #expect(verb.filter.description == "host 10.0.0.1 and tcp port 443")
        #expect(verb.order == FlowOrder(.bytes, ascending: true))
        #expect(verb.count == 3 && !verb.follow && verb.interval == .seconds(2))
        let failure = try #require(throws: CommandFailure.self) {
            try FlowsVerb(ParsedArguments(["tcp", "port", "htp"], for: FlowsVerb.specification))
        }
        #expect(
            failure.description
                == "nilo: filter: expected a port number or range, found \"htp\" at column 10\n    tcp port htp\n             ^^^\nhint: did you mean \"http\"?"
        )
        #expect(failure.code == .usage)
        #expect(throws: CommandFailure.self) { try FlowsVerb(ParsedArguments(["-i", "2s"], for: FlowsVerb.specification)) }
    }
}
