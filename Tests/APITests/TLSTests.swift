import Foundation
import Testing

@testable import API

/// The listener of the page when it is opened wider than the loopback.
@Suite struct TLSTests {
    /// A certificate of this test's own, and its key.
    private func certificate() throws -> (certificate: ControlServer.Certificate, folder: String) {
        let folder = NSTemporaryDirectory() + "nilo-tls-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = try run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "\(folder)/key", "-out", "\(folder)/chain")
        let text = { (name: String) in try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }
        return (.init(chain: try text("chain"), key: try text("key")), folder)
    }

    private func run(_ words: String...) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let bytes = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }

    @Test func whatIsSaidIsSaidOverTLSAlone() async throws {
        let (certificate, folder) = try certificate()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try ControlServer(.tcp(host: "127.0.0.1", port: 0, tls: certificate)) { request in
            ControlResponse(body: Array("\(request.path) of \(request.host ?? "-") for \(request.authorization ?? "-")\n".utf8))
        }
        let url = "https://localhost:\(server.port)/v1/x"
        let (trusted, plain, unknown) = try await away {
            (
                try run("curl", "-sS", "--cacert", "\(folder)/chain", "-H", "Authorization: Bearer t", url),
                try run("curl", "-sS", "-m", "5", "http://127.0.0.1:\(server.port)/v1/x"), try run("curl", "-sS", "-m", "5", url)
            )
        }
        #expect(trusted.status == 0 && trusted.output == "/v1/x of localhost:\(server.port) for Bearer t\n", "\(trusted)")
        #expect(plain.status != 0 && plain.output.isEmpty, "\(plain)")
        // CURLE_PEER_FAILED_VERIFICATION
        #expect(unknown.status == 60)
        withExtendedLifetime(server) {}
    }

    @Test func aStreamGoesOverTLS() async throws {
        let (certificate, folder) = try certificate()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try ControlServer(.tcp(host: "127.0.0.1", port: 0, tls: certificate)) { _ in
            ControlResponse(contentType: "text/event-stream") { stream in
                Thread.detachNewThread {
                    for number in 0..<3 {
                        _ = stream.write(Array("data: \(number)\n\n".utf8))
                        usleep(50_000)
                    }
                    stream.finish()
                }
            }
        }
        let got = try await away { try run("curl", "-sSN", "-m", "10", "--cacert", "\(folder)/chain", "https://localhost:\(server.port)/") }
        #expect(got.status == 0 && got.output == "data: 0\n\ndata: 1\n\ndata: 2\n\n", "\(got)")
        withExtendedLifetime(server) {}
    }

    @Test func aCertificateThatIsNoneIsRefused() {
        #expect(throws: ListenError.badCertificate) {
            _ = try ControlServer(.tcp(host: "127.0.0.1", port: 0, tls: .init(chain: "no", key: "none"))) { _ in
                ControlResponse(body: [])
            }
        }
    }
}
