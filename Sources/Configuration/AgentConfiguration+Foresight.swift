import NetworkTypes

extension AgentConfiguration {
    /// What is expected of traffic.
    public struct Forecast: Sendable, Equatable {
        public static let seriesBounds = 16...100_000
        public static let dayBounds = Duration.seconds(288)...Duration.seconds(86400)
        /// Seconds.
        static let dayGrain: Int64 = 288
        public var isOn = true
        /// Series at most.
        public var series = 2000
        /// How long a day takes; less than a day in laboratories that play one in minutes.
        public var day = Duration.seconds(86400)
        /// A folder, in which the agent keeps how its forecasts did and what was unusual; nil: both are forgotten when it ends.
        public var state: String? = "/var/lib/nilo/foresight"
    }

    /// What is unusual about traffic.
    public struct Anomalies: Sendable, Equatable {
        public enum Sensitivity: String, Sendable, CaseIterable { case low, normal, high }
        public var isOn = true
        public var sensitivity = Sensitivity.normal
        /// Incidents are posted there as JSON; nil: nowhere.
        public var webhook: WebURL?
        public var suspicions = Suspicions()
    }
}

extension AgentConfiguration.Forecast {
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "forecast", keys: ["enabled", "series", "day", "state"])
        decoder.flag(values["enabled"], "forecast.enabled", into: &isOn)
        decoder.integer(values["series"], "forecast.series", in: Self.seriesBounds, into: &series)
        decoder.duration(values["day"], "forecast.day", in: Self.dayBounds, into: &day)
        if let node = values["day"], day != .seconds(day.components.seconds) || day.components.seconds % Self.dayGrain != 0 {
            decoder.report(node, "forecast.day", "expected a multiple of \(Self.dayGrain)s, so that an hour has whole steps")
        }
        decoder.optionalPath(values["state"], "forecast.state", into: &state)
    }
}

extension AgentConfiguration.Anomalies {
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "anomalies", keys: ["enabled", "sensitivity", "webhook", "suspicions"])
        decoder.flag(values["enabled"], "anomalies.enabled", into: &isOn)
        decoder.choice(values["sensitivity"], "anomalies.sensitivity", into: &sensitivity)
        if let node = values["suspicions"] { suspicions.decode(node, &decoder) }
        guard let node = values["webhook"], let text = decoder.text(node, "anomalies.webhook") else { return }
        if text == "off" {
            webhook = nil
            return
        }
        do throws(WebURL.Fault) { webhook = try WebURL(text) } catch {
            var shown = node
            shown.content = .scalar(WebURL.shown(text), plain: false)
            decoder.report(shown, "anomalies.webhook", error.reason, hint: "a URL such as https://alerts.example/nilo, or off")
        }
    }
}
