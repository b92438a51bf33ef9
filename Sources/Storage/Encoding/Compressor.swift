import CZstd

/// Makes a row's body of bytes: zstd with contexts that are used again. A body begins with how it is kept: 0 as it is behind a checksum, 1 as
/// a zstd frame with its own, so that a damaged block is noticed and not taken for history.
final class Compressor {
    private let compressing: OpaquePointer
    private let decompressing: OpaquePointer
    /// No block grows larger; what claims more is damaged.
    private static let largest: UInt64 = 1 << 30
    /// Below, a frame's header and checksum eat what is gained.
    private static let smallest = 64

    init() {
        guard let compressing = ZSTD_createCCtx(), let decompressing = ZSTD_createDCtx() else {
            fatalError("zstd: no memory for a context")
        }
        self.compressing = compressing
        self.decompressing = decompressing
        // Level 3, zstd's own default: 1 loses a tenth, 9 takes five times as long for a twentieth.
        ZSTD_CCtx_setParameter(compressing, ZSTD_c_compressionLevel, 3)
        ZSTD_CCtx_setParameter(compressing, ZSTD_c_checksumFlag, 1)
    }

    deinit {
        ZSTD_freeCCtx(compressing)
        ZSTD_freeDCtx(decompressing)
    }

    func pack(_ plain: [UInt8]) -> [UInt8] {
        if plain.count >= Self.smallest {
            let bound = ZSTD_compressBound(plain.count) + 1
            let packed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                buffer[0] = 1
                let result = plain.withUnsafeBytes {
                    ZSTD_compress2(compressing, buffer.baseAddress! + 1, bound - 1, $0.baseAddress, $0.count)
                }
                // It fails only without memory; then it is kept as it is.
                count = ZSTD_isError(result) == 0 ? result + 1 : 0
            }
            if !packed.isEmpty, packed.count < plain.count + 5 { return packed }
        }
        return seal(plain)
    }

    /// As it is, for what does not live long.
    func seal(_ plain: [UInt8]) -> [UInt8] {
        var body: [UInt8] = [0]
        body.reserveCapacity(plain.count + 5)
        withUnsafeBytes(of: plain.withUnsafeBytes { Self.checksum($0) }.littleEndian) { body.append(contentsOf: $0) }
        body.append(contentsOf: plain)
        return body
    }

    /// FNV-1a: draft-eastlake-fnv.
    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        bytes.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
    }

    /// nil when the body is damaged.
    func unpack(_ body: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let kind = body.first, let start = body.baseAddress else { return nil }
        let frame = UnsafeRawBufferPointer(rebasing: body.dropFirst())
        if kind == 0 {
            guard frame.count >= 4 else { return nil }
            let plain = UnsafeRawBufferPointer(rebasing: frame.dropFirst(4))
            return UInt32(littleEndian: frame.loadUnaligned(as: UInt32.self)) == Self.checksum(plain) ? Array(plain) : nil
        }
        let size = ZSTD_getFrameContentSize(start + 1, frame.count)
        // Errors and "unknown" are the largest numbers.
        guard kind == 1, size <= Self.largest else { return nil }
        var failed = false
        let plain = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            let result = ZSTD_decompressDCtx(decompressing, buffer.baseAddress, Int(size), start + 1, frame.count)
            failed = ZSTD_isError(result) != 0 || result != Int(size)
            count = failed ? 0 : Int(size)
        }
        return failed ? nil : plain
    }
}
