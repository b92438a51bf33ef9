import NetworkTypes

extension AgentConfiguration {
    /// The page to look at and the API over TCP, for reading only.
    public struct Page: Sendable, Equatable {
        /// nil: none.
        public var listen: HostPort? = HostPort(host: "127.0.0.1", port: 8643)
        /// Names of this host that a browser may ask for, besides `localhost` and addresses (against DNS rebinding).
        public var names: [String] = []
        /// Holds the bearer token (RFC 6750).
        public var tokenFile: String?
        /// In PEM, as is `key`.
        public var certificate: String?
        public var key: String?

        /// What to open in a browser.
        public var url: String? { listen.map { (certificate == nil ? "http" : "https") + "://\($0)/" } }
    }
}

extension AgentConfiguration.Page {
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "page", keys: ["listen", "names", "token-file", "certificate", "key"])
        if let node = values["names"] {
            decoder.list(node, "page.names", into: &names) { $0.parsed($1, $2, expected: "a host name", Self.hostName) }
        }
        decoder.optionalPath(values["token-file"], "page.token-file", into: &tokenFile)
        decoder.optionalPath(values["certificate"], "page.certificate", into: &certificate)
        decoder.optionalPath(values["key"], "page.key", into: &key)
        if (certificate == nil) != (key == nil) {
            let missing = certificate == nil ? "certificate" : "key"
            decoder.report(line: node.line, path: "page.\(missing)", "TLS needs both a certificate and its key")
        }
        guard let node = values["listen"], let text = decoder.text(node, "page.listen") else { return }
        if text == "off" {
            listen = nil
            return
        }
        guard let address = HostPort(text) else {
            return decoder.report(node, "page.listen", "expected an address with its port such as 127.0.0.1:8643, or off")
        }
        guard address.isLoopback || (tokenFile != nil && certificate != nil && key != nil) else {
            let hint = "others could read who talks to whom: give token-file, certificate and key, or listen on the loopback"
            return decoder.report(node, "page.listen", "an address other than of the loopback needs TLS and a token", hint: hint)
        }
        listen = address
    }

    /// As RFC 1123, 2.1 has it, in lower case; nil for anything else.
    private static func hostName(_ text: String) -> String? {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63 && label.utf8.first != 0x2d && label.utf8.last != 0x2d
                && label.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x2d }
        }
        return isName && text.utf8.count <= 253 ? text.lowercased() : nil
    }
}
