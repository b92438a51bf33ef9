import Foundation
import Synchronization
import Testing

@testable import API

/// Answers that are made while they are taken.
@Suite struct LargeAnswerTests {
    private static let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)

    /// Pieces of 64 KiB, and how many have been made.
    private static func pieces(_ count: Int, _ made: CountOfPieces) -> ControlResponse {
        ControlResponse {
            let number = made.value.withLock { made in
                made += 1
                return made
            }
            return number <= count ? piece : nil
        }
    }

    @Test func isMadeAsItIsTaken() async throws {
        let path = temporarySocket()
        let made = CountOfPieces()
        let server = try server(path) { _ in Self.pieces(200, made) }
        let slow = try Raw(path)
        slow.send("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try await Task.sleep(for: .milliseconds(300))
        // What the socket holds and a few: not the whole.
        let before = made.value.withLock { $0 }
        #expect(before > 0 && before < 50, "\(before)")
        let text = try await away { slow.readAll() }
        #expect(text?.utf8.count { $0 == UInt8(ascii: "x") } ?? 0 >= 13_107_200)
        #expect(made.value.withLock { $0 } == 201)
        let whole = try await away { try ControlClient(socket: path).get("/x") }
        #expect(whole.isEmpty, "it has no piece any more")
        withExtendedLifetime(server) {}
    }

    @Test func oneOfOnePieceHasItsLength() async throws {
        let path = temporarySocket()
        let server = try server(path) { _ in Self.pieces(1, CountOfPieces()) }
        let client = try Raw(path)
        client.send("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(try await away { client.readAll() }?.contains("\r\nContent-Length: 65536\r\n") == true)
        withExtendedLifetime(server) {}
    }

    @Test func oneThatFailsBreaksOff() async throws {
        let path = temporarySocket()
        let made = CountOfPieces()
        let server = try server(path) { _ in
            ControlResponse {
                let number = made.value.withLock { made in
                    made += 1
                    return made
                }
                if number == 5 { throw POSIXError(.EIO) }
                return Self.piece
            }
        }
        guard case .ended(inAnswer: true)? = await failure(path) else {
            Issue.record("half an answer passed for a whole one")
            return
        }
        withExtendedLifetime(server) {}
    }

    @Test func theirNumberIsBounded() async throws {
        let path = temporarySocket()
        let server = try server(path) { _ in Self.pieces(200, CountOfPieces()) }
        var slow: [Raw] = []
        for _ in 0..<ControlServer.Limits().largeAnswers {
            slow.append(try Raw(path))
            slow.last!.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        }
        try await Task.sleep(for: .milliseconds(300))
        guard case .refused(503, _, _)? = await failure(path) else {
            Issue.record("one more was begun")
            return
        }
        // One that breaks off makes room.
        slow.removeFirst()
        try await Task.sleep(for: .milliseconds(300))
        #expect(try await away { try ControlClient(socket: path).get("/x").count } == 13_107_200)
        withExtendedLifetime((server, slow)) {}
    }
}

private final class CountOfPieces: Sendable {
    let value = Mutex(0)
}
