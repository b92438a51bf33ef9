import Testing

@testable import Configuration

struct WebURLTests {
    @Test(arguments: [
        ("http://127.0.0.1:8099/hook", "http://127.0.0.1:8099"), ("https://alerts.example", "https://alerts.example"),
        ("https://alerts.example/a@b:99999?x=http://[", "https://alerts.example"), ("http://[::1]", "http://[::1]"),
        ("http://[fe80::1%25eth0]:80/x", "http://[fe80::1%25eth0]:80"), ("http://user:p%40ss@host_1:65535", "http://host_1:65535"),
        ("http://a:b@c@host/", "http://host"), ("https://host?token=1", "https://host"), ("https://host#part@other", "https://host"),
    ])
    func aURLIsTaken(text: String, origin: String) throws {
        let url = try WebURL(text)
        #expect(url.text == text && url.origin == origin)
        var configuration = AgentConfiguration()
        configuration.anomalies.webhook = url
        #expect(try AgentConfiguration.parse(Array(configuration.render().utf8), file: "agent.yaml") == configuration)
    }

    @Test(arguments: [
        ("http://[::1", "http://[::1", "the bracket before the IPv6 address is not closed"),
        ("http://x:99999/", "http://x:99999", "its port has to be 1 to 65535"),
        ("http://x:0", "http://x:0", "its port has to be 1 to 65535"), ("http://x:", "http://x:", "its port has to be 1 to 65535"),
        ("http://x:8a/", "http://x:8a", "its port has to be 1 to 65535"), ("http://::1/", "http://::1", nil),
        ("http://[::g]/", "http://[::g]", "in brackets is no IPv6 address"),
        ("http://[127.0.0.1]/", "http://[127.0.0.1]", "in brackets is no IPv6 address"),
        ("http://[::1]x/", "http://[::1]x", "expected a port or a path after the bracket"), ("http://", "http://", nil),
        ("http:///path", "http://", nil), ("https://user:SECRET@:80/?TOKEN", "https://:80", nil), ("http://a,b/", "http://a,b", nil),
        ("ftp://user:SECRET@host/x", "ftp://host", "expected a URL such as https://alerts.example/nilo, or off"),
        ("alerts.example/TOKEN", "alerts.example", "expected a URL such as https://alerts.example/nilo, or off"),
        ("http://user:SEC RET@host/", "http://host", nil), ("http://hôte/", "http://hôte", nil),
        ("http://host/" + String(repeating: "x", count: 2048), "http://host", "it is longer than 2048 bytes"),
    ])
    func whatIsNoneIsRefusedWithoutItsSecrets(text: String, shown: String, reason: String?) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try AgentConfiguration.parse(Array("anomalies: {webhook: \"\(text)\"}".utf8), file: "agent.yaml")
        }
        let problem = try #require(error?.problems.first)
        #expect(error?.problems.count == 1 && problem.keyPath == "anomalies.webhook" && problem.value == shown && problem.line == 1)
        if let reason { #expect(problem.reason == reason) }
        for secret in ["SEC", "TOKEN", "RET"] { #expect(!"\(problem)".contains(secret), "\(problem)") }
    }
}
