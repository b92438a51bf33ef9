import Foundation
import TestSupport

/// Programs in the endpoints of a lab that send UDP at a fixed pace, and those that take it.
struct PacedSenders: Sendable {
    static let port = 9000
    private let program: String

    /// - Parameter directory: its program is put there.
    init(_ directory: String) throws {
        program = "\(directory)/paced.py"
        try Data(Self.text.utf8).write(to: URL(fileURLWithPath: program))
    }

    /// What cannot be sent is lost, as on any network; the next is sent when it is due, and all that are late at once.
    private static let text = """
        import socket, sys, time
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if sys.argv[1] == "take":
            udp.bind(("", int(sys.argv[2])))
            print("taking", flush=True)
            while True:
                udp.recv(65535)
        address, port, size, rate, source = sys.argv[2], *map(int, sys.argv[3:7])
        if len(sys.argv) > 7:
            # SO_SNDBUFFORCE: so much may wait in queues before the sender has to.
            udp.setsockopt(socket.SOL_SOCKET, 32, int(sys.argv[7]))
        udp.bind(("", source))
        print("sending", flush=True)
        due = time.monotonic()
        while True:
            try:
                udp.sendto(bytes(size), (address, port))
            except OSError:
                pass
            due += 1 / rate
            time.sleep(max(0, due - time.monotonic()))

        """

    func take(on endpoint: String, _ lab: AcceptanceLab) async throws -> BackgroundProcess {
        let process = try await lab.start(["python3", program, "take", "\(Self.port)"], on: endpoint)
        try await process.waitFor(output: "taking")
        return process
    }

    /// - Parameters:
    ///   - payload: bytes of each datagram.
    ///   - rate: datagrams a second.
    ///   - source: its port.
    func send(from endpoint: String, to address: String, payload: Int, rate: Int, source: Int, _ lab: AcceptanceLab) async throws
        -> BackgroundProcess
    {
        let process = try await lab.start(
            ["python3", program, "send", address, "\(Self.port)", "\(payload)", "\(rate)", "\(source)"], on: endpoint)
        try await process.waitFor(output: "sending")
        return process
    }
}
