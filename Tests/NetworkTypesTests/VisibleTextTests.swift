import NetworkTypes
import Testing

@Suite struct VisibleTextTests {
    @Test(arguments: [
        ("eth0", "eth0"), ("größe 漢字", "größe 漢字"), ("a\nhint: b", #"a\nhint: b"#), ("a\tb\rc", #"a\tb\rc"#), ("\r\n", #"\r\n"#),
        ("\u{1b}[2J", #"\u001b[2J"#), ("\u{7f}\u{85}", #"\u007f\u0085"#), ("\u{2028}", #"\u2028"#), ("a\u{202e}b", #"a\u202eb"#), ("", ""),
    ]) func onOneLine(text: String, shown: String) {
        #expect(text.visible == shown)
        #expect(shown.visible == shown)
    }

    @Test func longTextsAreCut() {
        #expect("größe".visible(most: 5) == "größe" && "größe".visible(most: 2) == "gr… (7 bytes)")
        #expect(String(repeating: "x", count: 4_000_000).visible(most: 200).utf8.count < 250)
    }
}
