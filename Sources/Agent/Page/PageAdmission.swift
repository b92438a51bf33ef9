import API
import NetworkTypes

/// Who may ask what of the listener that the page is served by.
struct PageAdmission: Sendable {
    /// nil: none is asked for, on the loopback.
    var token: [UInt8]?
    /// In lower case, besides `localhost` and addresses.
    var names: Set<String> = []

    /// Why a request is not answered; nil when it is.
    func refusal(of request: ControlRequest) -> ControlResponse? {
        // A name of somebody else that leads here would let his page read the answers: DNS rebinding.
        guard let host = request.host, isOurs(host) else {
            return .failure(421, "this agent is not asked for as \(request.host ?? "nothing")", hint: "add the name to page.names")
        }
        let isOpen = request.path == "/" || request.path.hasPrefix("/page/") || request.path.hasPrefix("/lib/")
        guard let token, !isOpen else { return nil }
        if let sent = request.authorization.flatMap(Self.bearer), Self.isEqual(sent, token) { return nil }
        var response = ControlResponse.failure(401, "a token is needed", hint: "Authorization: Bearer TOKEN, out of page.token-file")
        response.headers.append(("WWW-Authenticate", "Bearer realm=\"nilo\""))
        return response
    }

    /// `host`, `host:port` or `[address]:port`.
    private func isOurs(_ host: String) -> Bool {
        var name = Substring(host)
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return false }
            return IPAddress(String(name[name.index(after: name.startIndex)..<end])) != nil
        }
        if let colon = name.lastIndex(of: ":") { name = name[..<colon] }
        let known = name.lowercased()
        return known == "localhost" || names.contains(known) || IPAddress(known) != nil
    }

    /// RFC 6750, 2.1; the scheme's name in any case (RFC 9110, 11.1).
    private static func bearer(_ field: String) -> [UInt8]? {
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return Array(parts[1].drop { $0 == " " }.utf8)
    }

    /// Takes as long whatever is different.
    private static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
