import Dissection

/// A packet as nDPI wants it: from the IP header on, aligned, with lengths that fit the bytes that are there.
///
/// nDPI takes a packet that is shorter than its header says for a broken one. A packet that was cut off is filled up with zeros, so that
/// length rules still hold, or its lengths are set to what is there.
struct PacketImage: ~Copyable {
    /// What is done with a packet that was cut off.
    enum Completion: Sendable {
        /// Zeros up to its length, if that is at most so many bytes.
        case zeros(most: Int)
        case shorterLengths
    }

    private let room: UnsafeMutableRawBufferPointer

    init() { room = .allocate(byteCount: 65536, alignment: 16) }

    deinit { room.deallocate() }

    /// The image; valid until the next is made. nil when there is no whole IP header.
    func make(_ bytes: ArraySlice<UInt8>, _ headers: FrameHeaders, _ completion: Completion) -> UnsafeRawBufferPointer? {
        let isIPv6 = headers.etherType == .ipv6
        let shortest = isIPv6 ? 40 : 20
        let captured = min(bytes.count - headers.networkOffset, headers.networkBytes, 65535)
        guard captured >= shortest else { return nil }
        let start = bytes.startIndex + headers.networkOffset
        bytes[start..<start + captured].withUnsafeBytes { room.copyMemory(from: $0) }
        var size = captured
        if captured < headers.networkBytes, case .zeros(let most) = completion {
            size = max(captured, min(headers.networkBytes, most, 65535))
            UnsafeMutableRawBufferPointer(rebasing: room[captured..<size]).initializeMemory(as: UInt8.self, repeating: 0)
        }
        if size != headers.networkBytes { shorten(to: size, isIPv6: isIPv6, headers) }
        return UnsafeRawBufferPointer(rebasing: room[..<size])
    }

    private func shorten(to size: Int, isIPv6: Bool, _ headers: FrameHeaders) {
        put(UInt16(isIPv6 ? size - 40 : size), at: isIPv6 ? 4 : 2)
        guard let tuple = headers.tuple, tuple.protocol == .udp, let offset = headers.transportOffset else { return }
        let transport = offset - headers.networkOffset
        if transport + 8 <= size { put(UInt16(size - transport), at: transport + 4) }
    }

    private func put(_ value: UInt16, at offset: Int) { room.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self) }
}
