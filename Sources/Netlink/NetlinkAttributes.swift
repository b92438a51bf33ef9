import CNetlink

/// The attributes of a netlink message or of a nested attribute (`struct nlattr`, RFC 3549 section 2.3.2.2), in order.
///
/// Reads only within its buffer: an attribute that claims more than is left, or less than its own header, ends the sequence.
struct NetlinkAttributes: Sequence, IteratorProtocol {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// The attributes that follow a fixed header of `header` bytes.
    init(_ message: UnsafeRawBufferPointer, after header: Int) {
        rest = UnsafeRawBufferPointer(rebasing: message.dropFirst(netlinkAligned(header)))
    }

    mutating func next() -> (type: Int, value: UnsafeRawBufferPointer)? {
        guard rest.count >= 4 else { return nil }
        let length = Int(rest.loadUnaligned(as: UInt16.self))
        guard length >= 4, length <= rest.count else { return nil }
        // The two high bits say "nested" and "network byte order"; the kernel sets them on some attributes only.
        let type = Int(rest.loadUnaligned(fromByteOffset: 2, as: UInt16.self) & 0x3FFF)
        let value = UnsafeRawBufferPointer(rebasing: rest[4..<length])
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(netlinkAligned(length)))
        return (type, value)
    }
}

/// Rounded up to netlink's four bytes (`NLMSG_ALIGN`, `NLA_ALIGN`).
func netlinkAligned(_ length: Int) -> Int { (length + 3) & ~3 }

extension UnsafeRawBufferPointer {
    /// A value of fixed size at `offset`, at any alignment; nil when the buffer is too short.
    func value<T: BitwiseCopyable>(_ type: T.Type = T.self, at offset: Int = 0) -> T? {
        count - offset >= MemoryLayout<T>.size ? loadUnaligned(fromByteOffset: offset, as: type) : nil
    }

    /// A C string up to its terminating NUL or the end of the buffer; invalid UTF-8 is replaced.
    var text: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }
}
