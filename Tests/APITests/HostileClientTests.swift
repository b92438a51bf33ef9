import Foundation
import Testing

@testable import API

/// Whatever comes over the socket, the next one is answered.
@Suite struct HostileClientTests {
    @Test func garbage() async throws {
        let path = temporarySocket()
        let server = try server(path)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let client = try Raw(path)
            client.send((0..<Int.random(in: 1...3000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        for text in [
            "GET\r\n\r\n", "\0\0\0\0", "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "GET /%00%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            try Raw(path).send(text)
        }
        #expect(try await get(path).hasPrefix("GET /x"))
        withExtendedLifetime(server) {}
    }

    @Test func aBodyThatIsTooLarge() async throws {
        let path = temporarySocket()
        let server = try server(path)
        await #expect(throws: ControlClientError.refused(status: 413, error: "the request is larger than 65536 bytes", hint: nil)) {
            try await away { try ControlClient(socket: path).post("/x", body: [UInt8](repeating: 0, count: 65537)) }
        }
        let chunked = try Raw(path)
        chunked.send("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = "1000\r\n" + String(repeating: "y", count: 4096) + "\r\n"
        for _ in 0..<40 where chunked.send(chunk) < 0 { break }
        let answer = try await away { chunked.readAll() }
        #expect(answer?.contains(" 200 ") == false, "\(answer ?? "still open")")
        let header = try Raw(path)
        header.send("GET /x HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "z", count: 100_000) + "\r\n\r\n")
        let refused = try await away { header.readAll() }
        #expect(refused?.contains(" 200 ") == false, "\(refused ?? "still open")")
        #expect(try await get(path).hasPrefix("GET /x"))
        withExtendedLifetime(server) {}
    }

    @Test func aSlowRequestLosesItsPlaceAfterItsTime() async throws {
        let path = temporarySocket()
        var limits = ControlServer.Limits()
        limits.requestTime = .milliseconds(300)
        let server = try server(path, limits: limits)
        let slow = try Raw(path)
        slow.send("GET /x HT")
        for _ in 0..<4 {
            try await Task.sleep(for: .milliseconds(100))
            slow.send("T")
        }
        #expect(try await get(path).hasPrefix("GET /x"))
        #expect(try await away { slow.readAll() } != nil, "still open")
        withExtendedLifetime(server) {}
    }

    /// More than the server takes: who comes is answered at once, whoever else holds the places and however long they have.
    @Test(arguments: ["", "GET /x HT"]) func thoseThatTakeEveryPlaceMakeRoom(beginning: String) async throws {
        let path = temporarySocket()
        let server = try server(path)
        try await away {
            var idle: [Raw] = []
            for _ in 0..<600 {
                idle.append(try Raw(path))
                if !beginning.isEmpty { idle.last!.send(beginning) }
            }
            var times: [Duration] = []
            for _ in 0..<20 {
                let began = ContinuousClock.now
                let answer = String(decoding: try ControlClient(socket: path).get("/x", timeout: .seconds(8)), as: UTF8.self)
                #expect(answer.hasPrefix("GET /x"))
                times.append(ContinuousClock.now - began)
            }
            // Not each: on a machine with much else to do, one that is alone may wait for a second as well.
            #expect(times.sorted()[10] < .seconds(1), "\(times)")
            withExtendedLifetime(idle) {}
        }
        withExtendedLifetime(server) {}
    }

    /// One user's connections cost another none.
    @Test(.enabled(if: geteuid() == 0, "changes to another user")) func whoHasTheMostMakesRoom() async throws {
        let path = temporarySocket()
        var limits = ControlServer.Limits()
        limits.connections = 16
        let server = try server(path, limits: limits)
        chmod(path, 0o666)
        try await away {
            let first = try Raw(path)
            first.send("GET /x HTTP/1.1\r\nHost: x\r\n")
            // Another user's, who holds sixty.
            let script = """
                import os, socket, time
                os.setuid(65534)
                all = [socket.socket(socket.AF_UNIX) for _ in range(60)]
                for one in all: one.connect("\(path)")
                print("there", flush=True)
                time.sleep(30)
                """
            let hoarder = Process()
            hoarder.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            hoarder.arguments = ["python3", "-c", script]
            let output = Pipe()
            hoarder.standardOutput = output
            try hoarder.run()
            defer { hoarder.terminate() }
            #expect(String(decoding: output.fileHandleForReading.availableData, as: UTF8.self).hasPrefix("there"))
            usleep(200_000)
            first.send("Connection: close\r\n\r\n")
            #expect(first.readAll()?.hasPrefix("HTTP/1.1 200 ") == true, "the oldest of all was not the one that had to go")
        }
        withExtendedLifetime(server) {}
    }
}
