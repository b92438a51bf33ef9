/// Writes the blocks of a pcapng capture (draft-ietf-opsawg-pcapng), in the machine's byte order, into a buffer that is used again.
///
/// One section; interfaces are described before their first packet and numbered in that order. Timestamps are nanoseconds.
public struct PCAPNGEncoder {
    public enum LinkType: UInt16, Sendable {
        case ethernet = 1
        /// Packets begin with the IP header (LINKTYPE_RAW).
        case raw = 101
    }
    /// `epb_flags`, bits 0 and 1.
    public enum Direction: UInt32, Sendable {
        case unknown = 0
        case inbound = 1
        case outbound = 2
    }

    /// What was written since the last `removeAll`.
    public private(set) var bytes: [UInt8] = []
    public private(set) var interfaceCount = 0

    public init() { bytes.reserveCapacity(1 << 16) }

    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// The start of a section: interfaces are numbered from 0 again.
    public mutating func addSection(hardware: String, system: String, application: String) {
        interfaceCount = 0
        let start = begin(0x0A0D_0D0A)
        put(UInt32(0x1A2B_3C4D))
        put(UInt16(1))
        put(UInt16(0))
        put(UInt64.max)  // The section's length is not known.
        option(2, hardware)
        option(3, system)
        option(4, application)
        end(start, hasOptions: true)
    }

    /// - Returns: the interface's number in this section.
    @discardableResult public mutating func addInterface(name: String, linkType: LinkType = .ethernet, snapLength: UInt32 = 0) -> UInt32 {
        let start = begin(1)
        put(linkType.rawValue)
        put(UInt16(0))
        put(snapLength)
        option(2, name)
        option(9, [9])  // if_tsresol: 10^-9 s
        end(start, hasOptions: true)
        interfaceCount += 1
        return UInt32(interfaceCount - 1)
    }

    /// - Parameters:
    ///   - time: nanoseconds since 1970.
    ///   - wireLength: of the packet; `data` may be less.
    ///   - drops: packets lost on this interface since the packet before; not written when 0.
    ///   - comment: not written when nil.
    public mutating func addPacket(
        interface: UInt32, time: UInt64, data: UnsafeRawBufferPointer, inserting tag: (at: Int, bytes: UInt32)? = nil, wireLength: UInt32,
        direction: Direction, drops: UInt64 = 0, comment: String? = nil
    ) {
        let start = begin(6)
        let captured = data.count + (tag == nil ? 0 : 4)
        put(interface)
        put(UInt32(truncatingIfNeeded: time >> 32))
        put(UInt32(truncatingIfNeeded: time))
        put(UInt32(captured))
        put(max(wireLength, UInt32(captured)))
        if let tag, tag.at <= data.count {
            bytes.append(contentsOf: data[..<tag.at])
            put(tag.bytes.bigEndian)
            bytes.append(contentsOf: data[tag.at...])
        } else {
            bytes.append(contentsOf: data)
            if tag != nil { put(UInt32(0)) }
        }
        pad(captured)
        option(2, word: direction.rawValue)
        if drops > 0 { option(4, long: drops) }
        if let comment { option(1, comment) }
        end(start, hasOptions: true)
    }

    /// The state of an interface's capture, at its end or in between.
    /// - Parameters:
    ///   - time: nanoseconds since 1970.
    ///   - received: packets that the interface saw.
    ///   - dropped: of these, lost for want of room.
    public mutating func addStatistics(interface: UInt32, time: UInt64, received: UInt64, dropped: UInt64) {
        let start = begin(5)
        put(interface)
        put(UInt32(truncatingIfNeeded: time >> 32))
        put(UInt32(truncatingIfNeeded: time))
        option(4, long: received)
        option(5, long: dropped)
        end(start, hasOptions: true)
    }

    // MARK: fields

    private mutating func put<T: FixedWidthInteger>(_ value: T) {
        var value = value
        withUnsafeBytes(of: &value) { bytes.append(contentsOf: $0) }
    }

    private mutating func pad(_ length: Int) { for _ in 0..<((4 - length % 4) % 4) { bytes.append(0) } }

    private mutating func begin(_ type: UInt32) -> Int {
        let start = bytes.count
        put(type)
        put(UInt32(0))
        return start
    }

    /// The block's length, known only now, goes to its beginning and its end.
    private mutating func end(_ start: Int, hasOptions: Bool) {
        if hasOptions { put(UInt32(0)) }
        let length = UInt32(bytes.count - start + 4)
        put(length)
        for i in 0..<4 { bytes[start + 4 + i] = bytes[bytes.count - 4 + i] }
    }

    private mutating func option(_ code: UInt16, _ value: [UInt8]) {
        put(code)
        put(UInt16(value.count))
        bytes.append(contentsOf: value)
        pad(value.count)
    }

    private mutating func option(_ code: UInt16, _ text: String) {
        let length = min(text.utf8.count, Int(UInt16.max))
        put(code)
        put(UInt16(length))
        bytes.append(contentsOf: text.utf8.prefix(length))
        pad(length)
    }

    private mutating func option(_ code: UInt16, word: UInt32) {
        put(code)
        put(UInt16(4))
        put(word)
    }

    private mutating func option(_ code: UInt16, long: UInt64) {
        put(code)
        put(UInt16(8))
        put(long)
    }
}
