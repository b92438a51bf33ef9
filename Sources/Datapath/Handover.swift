import Flows
import Glibc

/// What an agent that ends in order leaves for the next one: how much of each stay it has told, and so exported. Without it (a crash) the next
/// agent exports again what the earlier one had exported.
///
/// A file of 40-byte records, host order: slot index and generation (UInt32), then the four totals (UInt64).
struct Handover {
    struct Stay: Hashable {
        var index: UInt32
        var generation: UInt32
    }
    private(set) var told: [Stay: Totals] = [:]
    static let recordBytes = 40

    init() {}

    mutating func add(_ stay: Stay, _ totals: Totals) { told[stay] = totals }

    func write(to path: String) throws(BPFError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(told.count * Self.recordBytes)
        for (stay, totals) in told {
            for value in [stay.index, stay.generation] { withUnsafeBytes(of: value) { bytes += $0 } }
            for value in [totals.skbs, totals.skbBytes, totals.wirePackets, totals.wireBytes] { withUnsafeBytes(of: value) { bytes += $0 } }
        }
        // Beside it and renamed, so that nobody ever reads half of one.
        let draft = path + ".new"
        let fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard fd >= 0 else { throw BPFError("write \(draft)", code: errno) }
        defer { close(fd) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw BPFError("write \(draft)", code: errno) }
            rest = rest.dropFirst(count)
        }
        guard rename(draft, path) == 0 else { throw BPFError("rename \(draft)", code: errno) }
    }

    /// Reads the file and removes it: it is true only once. Empty when there is none or it is not whole.
    init(taking path: String) {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard fd >= 0 else { return }
        defer {
            close(fd)
            unlink(path)
        }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_uid == geteuid(), Int(status.st_size) % Self.recordBytes == 0 else { return }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress! + filled, $0.count - filled) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            filled += count
        }
        bytes.withUnsafeBytes { raw in
            for at in stride(from: 0, to: raw.count, by: Self.recordBytes) {
                func number(_ offset: Int) -> UInt64 { raw.loadUnaligned(fromByteOffset: at + offset, as: UInt64.self) }
                let stay = Stay(
                    index: raw.loadUnaligned(fromByteOffset: at, as: UInt32.self),
                    generation: raw.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
                told[stay] = Totals(skbs: number(8), skbBytes: number(16), wirePackets: number(24), wireBytes: number(32))
            }
        }
    }
}
