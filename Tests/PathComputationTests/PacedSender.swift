import Glibc
import TestSupport

/// Sends UDP at a fixed pace.
enum PacedSender {
    /// - Parameters:
    ///   - flows: so many source ports, one after the other.
    ///   - payload: bytes of each datagram.
    ///   - interval: between two, nanoseconds.
    static func send(
        to address: String, port: UInt16, flows: Int, payload: Int, interval: UInt64, count: Int, in node: NetworkNamespace
    ) async throws {
        try await node.run {
            var target = sockaddr_in()
            target.sin_family = sa_family_t(AF_INET)
            inet_pton(AF_INET, address, &target.sin_addr)
            // One raw socket sends from any port.
            let socket = socket(AF_INET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_UDP))
            if socket < 0 { throw SystemError("socket") }
            defer { close(socket) }
            let length = UInt16(payload + 8)
            var datagram: [UInt8] = [0, 0, UInt8(port >> 8), UInt8(port & 0xFF), UInt8(length >> 8), UInt8(length & 0xFF), 0, 0]
            datagram += [UInt8](repeating: 0, count: payload)
            var next = timespec()
            clock_gettime(CLOCK_MONOTONIC, &next)
            for n in 0..<count {
                let source = UInt16(4000 + n % flows)
                (datagram[0], datagram[1]) = (UInt8(source >> 8), UInt8(source & 0xFF))
                let sent = withUnsafePointer(to: target) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(socket, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                if sent != datagram.count { throw SystemError("sendto") }
                next.tv_nsec += Int(interval)
                while next.tv_nsec >= 1_000_000_000 {
                    next.tv_nsec -= 1_000_000_000
                    next.tv_sec += 1
                }
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nil)
            }
        }
    }
}
