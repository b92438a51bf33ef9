import NetworkTypes
import Policy
import Testing

@testable import Configuration

private let shapes = """
    links: [{interface: eth0, capacity: 100 Mbit/s}]
    shape:
    - {name: web, on: eth0, direction: egress, rate: 10 Mbit/s}
    - {name: each, ceiling: 1 Mbit/s, per: flow}
    - {name: marked, dscp: ef}
    - {name: all, ceiling: 50 Mbit/s}
    - {name: part, rate: 5 Mbit/s, parent: all}
    - {name: share, rate: 5 Mbit/s, ceiling: 20 Mbit/s, parent: all}
    plan:

    """

private func refusal(_ line: String) -> [String] {
    do throws(PolicyFile.Failure) {
        _ = try PolicyFile.parse(Array((shapes + line + "\n").utf8), file: "p.yaml")
        return []
    } catch { return error.description.split(separator: "\n").map(String.init) }
}

@Suite struct PlanFileTests {
    @Test func everyKeyIsRead() throws {
        let text =
            shapes + """
                - {class: web, quantile: 92.5 %, lead: 5m, headroom: 20 %, floor: 2 Mbit/s, ceiling: 80 Mbit/s, criticality: 90, weight: 3,
                   change: 50 %, hold: 1h, freeze: ["22:00-06:30", "12:00-24:00"]}
                - {class: part}
                """
        let policy = try PolicyFile.parse(Array(text.utf8), file: "p.yaml").policy
        let web = PlanDeclaration(
            rule: "web", quantile: 0.925, lead: .seconds(300), headroom: 0.2, floor: BitRate(bitsPerSecond: 2e6),
            ceiling: BitRate(bitsPerSecond: 80e6), criticality: 90, weight: 3, change: 0.5, hold: .seconds(3600),
            freeze: [DailyWindow(from: 1320, until: 390), DailyWindow(from: 720, until: 1440)])
        #expect(policy.plans == [web, PlanDeclaration(rule: "part")])
        let again = try PolicyFile.parse(Array(PolicyFile.render(policy).utf8), file: "p.yaml").policy
        #expect(again == policy)
    }

    @Test(arguments: [
        ("- {quantile: 90 %}", "p.yaml:10: plan[0]: has no class"),
        ("- {class: wob}", "p.yaml:10: plan[0].class: \"wob\": there is no shaping rule of this name"),
        (
            "- {class: each}",
            "p.yaml:10: plan[0].class: \"each\": gives each host, flow or prefix its own rate, and has none to plan (shape[1] in p.yaml:4)"
        ),
        ("- {class: marked}", "p.yaml:10: plan[0].class: \"marked\": has neither rate nor ceiling to begin with (shape[2] in p.yaml:5)"),
        ("- {class: all}", "p.yaml:10: plan[0].class: \"all\": part has a share of it"),
        ("- {class: web}\n- {class: web}", "p.yaml:11: plan[1].class: \"web\": the class is planned twice (plan[0] in p.yaml:10)"),
        ("- {class: web, quantile: 99 %}", "p.yaml:10: plan[0].quantile: \"99 %\": must be 50 % to 95 %"),
        ("- {class: web, quantile: 0.9}", "p.yaml:10: plan[0].quantile: \"0.9\": expected a percentage such as 90 %"),
        ("- {class: web, lead: 10}", "p.yaml:10: plan[0].lead: \"10\": expected a duration with its unit, such as 30s, 10m or 1h"),
        ("- {class: web, lead: 25h}", "p.yaml:10: plan[0].lead: \"25h\": must be 1s to 24h"),
        ("- {class: web, headroom: 301 %}", "p.yaml:10: plan[0].headroom: \"301 %\": must be 0 % to 300 %"),
        ("- {class: web, floor: 5 Mbit/s, ceiling: 1 Mbit/s}", "p.yaml:10: plan[0].floor: \"5 Mbit/s\": is more than the ceiling"),
        (
            "- {class: share, floor: 30 Mbit/s}",
            "p.yaml:10: plan[0].floor: \"30 Mbit/s\": is more than the ceiling of the rule, 20.0 Mb/s (shape[5] in p.yaml:8)"
        ),
        ("- {class: web, ceiling: 1 bit/s}", "p.yaml:10: plan[0].ceiling: \"1 bit/s\": must be 1 kbit/s to 1 Tbit/s"),
        ("- {class: web, criticality: 101}", "p.yaml:10: plan[0].criticality: \"101\": must be 0 (gives way first) to 100"),
        ("- {class: web, weight: 0}", "p.yaml:10: plan[0].weight: \"0\": must be 1 to 1000"),
        ("- {class: web, change: 0.5 %}", "p.yaml:10: plan[0].change: \"0.5 %\": must be 1 % to 1000 %"),
        ("- {class: web, hold: 2d}", "p.yaml:10: plan[0].hold: \"2d\": expected a duration with its unit, such as 30s, 10m or 1h"),
        (
            "- {class: web, freeze: [22-23]}",
            "p.yaml:10: plan[0].freeze[0]: \"22-23\": expected a time of every day such as \"22:00-23:00\""
        ),
        ("- {class: web, quantiles: 90 %}", "p.yaml:10: plan[0].quantiles: unknown key"),
    ]) func aMistakeIsNamed(line: String, message: String) {
        #expect(refusal(line).filter { !$0.hasPrefix("hint: ") } == [message])
    }

    @Test(arguments: [
        ("22:00-23:00", 22 * 60, true), ("22:00-23:00", 23 * 60, false), ("23:00-01:00", 30, true), ("23:00-01:00", 60, false),
    ])
    func windowsGoOverMidnight(text: String, minute: Int, isIn: Bool) throws {
        let window = try #require(DailyWindow(text))
        #expect(window.contains(minute: minute) == isIn && window.description == text)
    }

    @Test(arguments: ["24:00-01:00", "1:00-2:00", "10:00", "10:60-11:00", "10:00-10:00", "10:00-25:00", "a-b", ""])
    func whatIsNoWindowIsRefused(text: String) { #expect(DailyWindow(text) == nil) }

    @Test func planningIsConfigured() throws {
        let full = try AgentConfiguration.parse(Array("planning: {mode: auto, state: /var/x}".utf8), file: "a.yaml")
        #expect(full.planning.mode == .auto && full.planning.state == "/var/x")
        let short = try AgentConfiguration.parse(Array("planning: off".utf8), file: "a.yaml")
        #expect(short.planning.mode == .off && AgentConfiguration().planning.mode == .observe)
        #expect(try AgentConfiguration.parse(Array(full.render().utf8), file: "a.yaml") == full)
    }
}
