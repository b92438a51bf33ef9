/// 128 bits that stand for bytes in memory: two keyed hashes (SipHash) with seeds of this process, which nobody outside can know, so that no
/// two things are taken for the same by chance or by intent. Never written down.
struct Fingerprint: Hashable {
    private let high: UInt64
    private let low: UInt64

    init(_ bytes: UnsafeRawBufferPointer) {
        var first = Hasher()
        first.combine(bytes: bytes)
        low = UInt64(bitPattern: Int64(first.finalize()))
        var second = Hasher()
        second.combine(0x6e69_6c6f)
        second.combine(bytes: bytes)
        high = UInt64(bitPattern: Int64(second.finalize()))
    }

    init(_ text: String) {
        var text = text
        self = text.withUTF8 { Fingerprint(UnsafeRawBufferPointer($0)) }
    }

    init(_ bytes: [UInt8]) { self = bytes.withUnsafeBytes { Fingerprint($0) } }

    func hash(into hasher: inout Hasher) { hasher.combine(low) }
}
