import Foundation
import PCAPNG
import Testing

/// Captures as tshark and capinfos read them.
@Suite struct PCAPNGTests {
    private static func run(_ command: String) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(command)")
        return String(decoding: output, as: UTF8.self)
    }

    private static func temporary() -> String { NSTemporaryDirectory() + "nilo-pcapng-\(UUID().uuidString)" }
    /// Ethernet and an IPv4 header of protocol 253, then `count` bytes.
    private static func frame(_ count: Int) -> [UInt8] {
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, UInt8(20 + count), 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
            + (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    }

    @Test func tsharkReadsEveryField() throws {
        let path = Self.temporary()
        defer { unlink(path + ".0") }
        let writer = try CaptureWriter(.files(path: path, size: 1 << 20, count: 1))
        let interfaces = [writer.addInterface(name: "eth0"), writer.addInterface(name: "blue/tap7")]
        for (n, size) in [1, 2, 3, 50].enumerated() {
            try Self.frame(size).withUnsafeBytes {
                try writer.addPacket(
                    interface: interfaces[n % 2], time: 1_700_000_000_123_456_789 + UInt64(n), data: $0, wireLength: UInt32(1000 + n),
                    direction: n % 2 == 0 ? .inbound : .outbound, drops: n == 2 ? 5 : 0, comment: n == 3 ? "web: 10.0.0.1 > 10.0.0.2" : nil)
            }
        }
        try writer.finish()
        let text = try Self.run(
            "tshark -r \(path).0 -T fields -e frame.interface_name -e frame.time_epoch -e frame.len -e frame.cap_len "
                + "-e frame.packet_flags_direction -e frame.comment -e data.len")
        #expect(
            text.split(separator: "\n").map(String.init) == [
                "eth0\t1700000000.123456789\t1000\t35\t0x00000001\t\t1", "blue/tap7\t1700000000.123456790\t1001\t36\t0x00000002\t\t2",
                "eth0\t1700000000.123456791\t1002\t37\t0x00000001\t\t3",
                "blue/tap7\t1700000000.123456792\t1003\t84\t0x00000002\tweb: 10.0.0.1 > 10.0.0.2\t50",
            ])
        let facts = try Self.run("capinfos -M -c -I \(path).0")
        #expect(facts.contains("Number of packets:   4") && facts.contains("Number of interfaces in file: 2"), "\(facts)")
        #expect(facts.contains("Number of stat entries = 1"), "\(facts)")
    }

    @Test func filesRotateWithinTheirSize() throws {
        let path = Self.temporary()
        let size: UInt64 = 8192
        let writer = try CaptureWriter(.files(path: path, size: size, count: 3))
        let interface = writer.addInterface(name: "eth0")
        for n in 0..<1000 {
            try Self.frame(64).withUnsafeBytes {
                try writer.addPacket(interface: interface, time: UInt64(n), data: $0, wireLength: 98, direction: .inbound)
            }
        }
        try writer.finish()
        let begun = writer.filesBegun
        #expect(begun > 10)
        var packets = 0
        for n in 0..<begun {
            let file = "\(path).\(n)"
            let there = FileManager.default.fileExists(atPath: file)
            #expect(there == (n >= begun - 3), "\(n) of \(begun)")
            guard there else { continue }
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect((attributes[.size] as? UInt64 ?? .max) <= size && (attributes[.posixPermissions] as? Int) == 0o600)
            packets += Int(try Self.run("tshark -r \(file) | wc -l").trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
            unlink(file)
        }
        #expect(packets > 2 * 50 && packets < 3 * 70)
    }

    /// Anyone may have made a file of such a name, where the folder is open to all.
    @Test(arguments: [Int.max, .max - 1, 1 << 62]) func aNumberOutOfReachIsNobodys(number: Int) throws {
        let path = Self.temporary()
        let stranger = "\(path).\(number)"
        #expect(FileManager.default.createFile(atPath: stranger, contents: nil))
        defer { for file in [stranger, "\(path).0"] { unlink(file) } }
        let writer = try CaptureWriter(.files(path: path, size: 1 << 20, count: 2))
        let interface = writer.addInterface(name: "eth0")
        try Self.frame(9).withUnsafeBytes {
            try writer.addPacket(interface: interface, time: 0, data: $0, wireLength: 43, direction: .inbound)
        }
        try writer.finish()
        #expect(FileManager.default.fileExists(atPath: "\(path).0") && FileManager.default.fileExists(atPath: stranger))
    }

    /// After a failure the file ends whole and another one goes on; a writer that comes later begins behind what is there.
    @Test func anAbandonedFileIsWhole() throws {
        let path = Self.temporary()
        defer { for n in 0..<4 { unlink("\(path).\(n)") } }
        func add(_ count: Int, to writer: CaptureWriter, _ interface: UInt32) throws {
            for _ in 0..<count {
                try Self.frame(9).withUnsafeBytes {
                    try writer.addPacket(interface: interface, time: 0, data: $0, wireLength: 43, direction: .inbound)
                }
            }
        }
        func packets(_ n: Int) throws -> String { try Self.run("tshark -r \(path).\(n) -T fields -e frame.interface_name | uniq -c") }
        let writer = try CaptureWriter(.files(path: path, size: 1 << 20, count: 3))
        let first = writer.addInterface(name: "eth0")
        try add(5, to: writer, first)
        try writer.flush()
        try add(7, to: writer, first)
        writer.abandon()
        let second = writer.addInterface(name: "eth1")
        try add(2, to: writer, first)
        try add(3, to: writer, second)
        try writer.finish()
        #expect(writer.packetsWritten == 10)
        #expect(try packets(0).split { $0.isWhitespace } == ["5", "eth0"])
        #expect(try packets(1).split { $0.isWhitespace } == ["2", "eth0", "3", "eth1"])
        let next = try CaptureWriter(.files(path: path, size: 1 << 20, count: 1))
        try add(4, to: next, next.addInterface(name: "eth0"))
        try next.finish()
        #expect(try packets(2).split { $0.isWhitespace } == ["4", "eth0"] && access("\(path).1", F_OK) != 0)
        // Nothing was written: nothing stays.
        let none = try CaptureWriter(.files(path: path, size: 1 << 20, count: 9))
        none.abandon()
        #expect(access("\(path).3", F_OK) != 0)
    }

    @Test func aTagIsPutBack() throws {
        let path = Self.temporary()
        defer { unlink(path + ".0") }
        let writer = try CaptureWriter(.files(path: path, size: 1 << 20, count: 1))
        let interface = writer.addInterface(name: "eth0")
        try Self.frame(4).withUnsafeBytes {
            try writer.addPacket(
                interface: interface, time: 0, data: $0, inserting: (at: 12, bytes: 0x8100_0007), wireLength: 42, direction: .inbound)
        }
        try writer.finish()
        #expect(try Self.run("tshark -r \(path).0 -T fields -e vlan.id -e ip.src") == "7\t10.0.0.1\n")
    }
}
