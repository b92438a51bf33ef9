import Glibc

/// The packets of a capture file: pcap or pcapng (draft-ietf-opsawg-pcap, -pcapng), either byte order.
struct CaptureReader {
    struct Packet {
        /// Nanoseconds since the epoch.
        var time: UInt64
        var originalLength: UInt32
        var bytes: ArraySlice<UInt8>
        /// LINKTYPE: 1 is Ethernet, 101 begins with the IP header.
        var linkType: UInt16
    }

    private let bytes: [UInt8]
    private var isSwapped = false

    /// Throws what is wrong with the file; a last record that is cut off just ends it.
    static func packets(of path: String) throws(BenchError) -> [Packet] {
        var reader = CaptureReader(bytes: try contents(of: path))
        guard let packets = reader.read() else { throw BenchError("\(path): neither pcap nor pcapng") }
        return packets
    }

    static func contents(of path: String) throws(BenchError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw BenchError("open \(path)", errno: errno) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func long(_ at: Int) -> UInt32? {
        guard at >= 0, at + 4 <= bytes.count else { return nil }
        let value = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
        return isSwapped ? value.byteSwapped : value
    }

    private func short(_ at: Int) -> UInt16? {
        guard at >= 0, at + 2 <= bytes.count else { return nil }
        let value = UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8
        return isSwapped ? value.byteSwapped : value
    }

    private mutating func read() -> [Packet]? {
        switch long(0) {
        case 0xA1B2_C3D4, 0xA1B2_3C4D: return readPCAP()
        case 0xD4C3_B2A1, 0x4D3C_B2A1:
            isSwapped = true
            return readPCAP()
        case 0x0A0D_0D0A: return readPCAPNG()
        default: return nil
        }
    }

    private func readPCAP() -> [Packet]? {
        guard let magic = long(0), let link = long(20) else { return nil }
        let unit: UInt64 = magic == 0xA1B2_3C4D ? 1 : 1000
        var packets: [Packet] = []
        var at = 24
        while let seconds = long(at), let fraction = long(at + 4), let captured = long(at + 8), let original = long(at + 12),
            at + 16 + Int(captured) <= bytes.count
        {
            packets.append(
                Packet(
                    time: UInt64(seconds) * 1_000_000_000 + UInt64(fraction) * unit, originalLength: original,
                    bytes: bytes[at + 16..<at + 16 + Int(captured)], linkType: UInt16(truncatingIfNeeded: link)))
            at += 16 + Int(captured)
        }
        return packets
    }

    private mutating func readPCAPNG() -> [Packet]? {
        var packets: [Packet] = []
        var interfaces: [(link: UInt16, perSecond: UInt64)] = []
        var at = 0
        while var type = long(at), at + 12 <= bytes.count {
            if type == 0x0A0D_0D0A {
                // A section: its byte order is its own.
                isSwapped = false
                if long(at + 8) != 0x1A2B_3C4D { isSwapped = true }
                interfaces = []
                type = 0x0A0D_0D0A
            }
            guard let size = long(at + 4), size >= 12, at + Int(size) <= bytes.count else { break }
            let end = at + Int(size) - 4
            switch type {
            case 1: interfaces.append((short(at + 8) ?? 0, perSecond(options: at + 16, end)))
            case 6:
                if let number = long(at + 8), Int(number) < interfaces.count, let high = long(at + 12), let low = long(at + 16),
                    let captured = long(at + 20), let original = long(at + 24), at + 28 + Int(captured) <= end
                {
                    let (link, unit) = interfaces[Int(number)]
                    let (seconds, rest) = (UInt64(high) << 32 | UInt64(low)).quotientAndRemainder(dividingBy: unit)
                    packets.append(
                        Packet(
                            time: seconds &* 1_000_000_000 &+ UInt64(Double(rest) * 1e9 / Double(unit)), originalLength: original,
                            bytes: bytes[at + 28..<at + 28 + Int(captured)], linkType: link))
                }
            default: break
            }
            at += Int(size)
        }
        return packets
    }

    /// The option if_tsresol.
    private func perSecond(options start: Int, _ end: Int) -> UInt64 {
        var at = start
        while let code = short(at), let size = short(at + 2), code != 0, at + 4 + Int(size) <= end {
            if code == 9, size >= 1 {
                let value = bytes[at + 4]
                if value & 0x80 != 0 { return 1 << UInt64(min(value & 0x7F, 63)) }
                return (0..<min(value, 18)).reduce(1) { units, _ in units * 10 }
            }
            at += 4 + (Int(size) + 3) / 4 * 4
        }
        return 1_000_000
    }
}
