import Foundation
import Testing

@testable import Agent

/// What stands in the way of a file holds nobody up.
@Suite(.timeLimit(.minutes(1))) struct SystemFilesTests {
    private static func inFolder(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "nilo-files-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func onlyFilesAreRead() throws {
        try Self.inFolder { folder in
            let (pipe, file, link) = (folder + "/pipe", folder + "/file", folder + "/link")
            #expect(mkfifo(pipe, 0o600) == 0)
            for path in [pipe, folder, "/dev/null"] {
                do throws(SystemFiles.Unread) {
                    _ = try SystemFiles.bytes(path)
                    Issue.record("\(path) was read")
                } catch {
                    guard case .isNoFile = error else { Issue.record("\(path): \(error)"); continue }
                }
            }
            try Data("abc".utf8).write(to: URL(fileURLWithPath: file))
            #expect(symlink(file, link) == 0)
            #expect(try SystemFiles.bytes(file) == Array("abc".utf8) && SystemFiles.bytes(link) == Array("abc".utf8))
            #expect(SystemFiles.read("/proc/meminfo")?.contains("MemTotal") == true)
        }
    }

    @Test func whatIsInTheWayIsReplacedUnopened() throws {
        try Self.inFolder { folder in
            let (path, victim) = (folder + "/state", folder + "/victim")
            try Data("kept".utf8).write(to: URL(fileURLWithPath: victim))
            let traps: [(String) -> Int32] = [
                { mkfifo($0, 0o600) }, { symlink(victim, $0) }, { symlink("/nowhere/at/all", $0) }, { Glibc.link(victim, $0) },
            ]
            for (number, trap) in traps.enumerated() {
                #expect(trap(path + ".new") == 0)
                try SystemFiles.replace(path, with: [UInt8(number)], mode: 0o640, isSynchronised: true)
                #expect(try SystemFiles.bytes(path) == [UInt8(number)] && access(path + ".new", F_OK) != 0)
                #expect(try SystemFiles.bytes(victim) == Array("kept".utf8))
            }
            // The place itself may be one, too.
            unlink(path)
            #expect(mkfifo(path, 0o600) == 0)
            try SystemFiles.replace(path, with: [7], mode: 0o640, isSynchronised: true)
            #expect(try SystemFiles.bytes(path) == [7])
        }
    }

    @Test func whatCannotGoIsSaid() throws {
        try Self.inFolder { folder in
            let path = folder + "/state"
            try FileManager.default.createDirectory(atPath: path + ".new", withIntermediateDirectories: true)
            #expect(throws: SystemFiles.Unwritten.self) { try SystemFiles.replace(path, with: [1], mode: 0o640, isSynchronised: true) }
            #expect(access(path, F_OK) != 0)
        }
    }
}
