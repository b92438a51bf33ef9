import CLinux
import Glibc
import PathComputation
import TestSupport

/// Counts the test's own datagrams at every interface of a lab, as AF_PACKET shows them: those to one UDP port, in a VXLAN packet too.
///
/// What kernels say by themselves is no part of it: a bridge reports its multicast groups (IGMP) within ten seconds of being set up, and
/// routers answer what they cannot pass on (ICMP). Interface counters have all of that in them.
final class TrafficTap: Sendable {
    private struct Ear: Sendable {
        var node: String
        var descriptor: Int32
        var names: [Int32: String]
    }
    private let ears: [Ear]
    private let port: UInt16

    /// Listens from now on.
    init(_ lab: PathLab, port: UInt16) async throws {
        var ears: [Ear] = []
        for (name, namespace) in lab.nodes {
            let (descriptor, names) = try await namespace.run { (try Self.open(), Self.interfaceNames()) }
            ears.append(Ear(node: name, descriptor: descriptor, names: names))
        }
        self.ears = ears
        self.port = port
    }

    deinit { for ear in ears { close(ear.descriptor) } }

    private static func open() throws -> Int32 {
        let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(UInt16(ETH_P_ALL).bigEndian))
        if descriptor < 0 { throw SystemError("socket(AF_PACKET)") }
        var size: Int32 = 256 << 20
        if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size)) != 0 {
            throw SystemError("SO_RCVBUFFORCE")
        }
        return descriptor
    }

    private static func interfaceNames() -> [Int32: String] {
        guard let list = if_nameindex() else { return [:] }
        defer { if_freenameindex(list) }
        var names: [Int32: String] = [:]
        var entry = list
        while entry.pointee.if_index != 0, let name = entry.pointee.if_name {
            names[Int32(entry.pointee.if_index)] = String(cString: name)
            entry += 1
        }
        return names
    }

    /// What passed since the last call; every interface is in it. Throws when the kernel had no room for some of it.
    func take() throws -> [PathLab.Passage: PathLab.Tally] {
        var result: [PathLab.Passage: PathLab.Tally] = [:]
        for ear in ears {
            for name in ear.names.values {
                for direction in [Hop.Direction.egress, .ingress] {
                    result[PathLab.Passage(node: ear.node, link: name, direction: direction)] = PathLab.Tally(packets: 0, bytes: 0)
                }
            }
            try drain(ear, into: &result)
            var statistics: (packets: UInt32, drops: UInt32) = (0, 0)
            var size = socklen_t(MemoryLayout.size(ofValue: statistics))
            if getsockopt(ear.descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0 { throw SystemError("PACKET_STATISTICS") }
            if statistics.drops > 0 { throw Unexpected("\(statistics.drops) frames of \(ear.node) were not counted") }
        }
        return result
    }

    private func drain(_ ear: Ear, into result: inout [PathLab.Passage: PathLab.Tally]) throws {
        var frame = [UInt8](repeating: 0, count: 128)
        while true {
            var from = sockaddr_ll()
            var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
            // MSG_TRUNC: the frame's own length, not that of the buffer.
            let size = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(ear.descriptor, &frame, frame.count, Int32(MSG_DONTWAIT) | Int32(MSG_TRUNC), $0, &length)
                }
            }
            if size < 0 {
                if errno == EAGAIN { return }
                throw SystemError("recvfrom(AF_PACKET)")
            }
            guard isOwn(frame[..<min(size, frame.count)]), let name = ear.names[from.sll_ifindex] else { continue }
            let isOutgoing = from.sll_pkttype == UInt8(PACKET_OUTGOING)
            let passage = PathLab.Passage(node: ear.node, link: name, direction: isOutgoing ? .egress : .ingress)
            result[passage, default: PathLab.Tally(packets: 0, bytes: 0)].packets += 1
            result[passage]?.bytes += size
        }
    }

    /// A UDP datagram over IPv4 to the port, or a VXLAN packet (RFC 7348) with one in it.
    private func isOwn(_ frame: ArraySlice<UInt8>) -> Bool {
        let start = frame.startIndex
        // Ethernet, IPv4 without options, UDP.
        guard frame.count >= 14 + 20 + 8, frame[start + 12] == 0x08, frame[start + 13] == 0, frame[start + 14] == 0x45,
            frame[start + 23] == UInt8(IPPROTO_UDP)
        else { return false }
        let to = UInt16(frame[start + 36]) << 8 | UInt16(frame[start + 37])
        return to == port || to == 4789 && isOwn(frame.dropFirst(14 + 20 + 8 + 8))
    }
}
