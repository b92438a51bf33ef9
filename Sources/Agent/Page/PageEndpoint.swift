import API
import Configuration
import Glibc

/// The page's listener, if there is to be one: bound, with its secrets read, while the process may still do so.
struct PageEndpoint: ~Copyable {
    private let bound: BoundEndpoint?
    private let admission: PageAdmission

    init(_ page: AgentConfiguration.Page) throws {
        var admission = PageAdmission(names: Set(page.names))
        var tls: ControlServer.Certificate?
        if page.listen != nil {
            if let file = page.tokenFile { admission.token = try Self.token(file) }
            if let chain = page.certificate, let key = page.key {
                tls = ControlServer.Certificate(
                    chain: try Self.text(chain, "page.certificate"), key: try Self.text(key, "page.key"))
            }
        }
        bound = try Self.bind(page.listen, tls)
        self.admission = admission
    }

    private static func bind(_ listen: HostPort?, _ tls: ControlServer.Certificate?) throws(ListenError) -> BoundEndpoint? {
        guard let listen else { return nil }
        return try BoundEndpoint(.tcp(host: listen.host, port: listen.port, tls: tls))
    }

    /// - Parameter controlSocket: where changes are to be asked for.
    consuming func serve(controlSocket: String, _ answer: @escaping ControlServer.Handler) throws(ListenError) -> ControlServer? {
        let admission = admission
        guard let bound else { return nil }
        return try ControlServer(bound, controlSocket: controlSocket) { request in
            admission.refusal(of: request) ?? PageFiles.answer(request) ?? answer(request)
        }
    }

    private static func token(_ path: String) throws -> [UInt8] {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & 0o077 != 0 {
            throw AgentFailure("read page.token-file", "others may read \(path)", hint: "chmod 600 \(path)")
        }
        let text = try text(path, "page.token-file")
        let token = text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init) ?? ""
        // RFC 6750, 2.1: b64token; and what can be guessed is no token.
        let extra: Set<UInt8> = [0x2d, 0x2e, 0x5f, 0x7e, 0x2b, 0x2f, 0x3d]  // - . _ ~ + / =
        let isPlain = token.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & 0xdf) || extra.contains($0) }
        guard isPlain, token.utf8.count >= 16 else {
            throw AgentFailure(
                "read page.token-file", "\(path) has to begin with a line of 16 or more letters, digits and -._~+/=",
                hint: "openssl rand -base64 24 > \(path)")
        }
        return Array(token.utf8)
    }

    private static func text(_ path: String, _ key: String) throws -> String {
        do throws(SystemFiles.Unread) {
            let bytes = try SystemFiles.bytes(path, most: 1 << 20)
            if !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) { return text }
        } catch {
            if case .failed(let code) = error { throw AgentFailure("read \(key)", "\(path): \(String(cString: strerror(code)))") }
            if case .isNoFile = error { throw AgentFailure("read \(key)", "\(path) is not a regular file") }
        }
        throw AgentFailure("read \(key)", "\(path) is not a text of at most 1 MiB")
    }
}
