import Dissection

/// Packets on their way to the classifier: a message of at most `mostBytes`, numbers in network order.
///
///     magic 4 · packets 2 · sequence 8, then for each packet: its bytes' count 2 · flags 1 · time 8 · original length 4 · network 4 ·
///     interface 4 · the bytes
struct PacketBatch {
    static let mostBytes = 60_000
    /// Of one packet; what is longer is cut off there.
    static let mostPacketBytes = 4096
    private static let magic: UInt32 = 0x4E41_5031
    private static let headBytes = 14
    private static let noteBytes = 23

    private(set) var bytes: [UInt8] = []
    private(set) var packets: UInt16 = 0

    init() {
        bytes.reserveCapacity(Self.mostBytes)
        clear()
    }

    var isEmpty: Bool { packets == 0 }

    /// Whether the packet fits; it is added if it does.
    mutating func add(_ packet: UnsafeRawBufferPointer, _ note: PacketNote) -> Bool {
        let count = min(packet.count, Self.mostPacketBytes)
        guard bytes.count + Self.noteBytes + count <= Self.mostBytes, packets < .max else { return false }
        bytes.append(UInt16(count))
        bytes.append((note.isEgress ? 1 : 0) | note.layer.rawValue << 1)
        bytes.append(note.time)
        bytes.append(note.originalLength)
        bytes.append(note.network)
        bytes.append(note.interface)
        bytes.append(contentsOf: packet.prefix(count))
        packets += 1
        return true
    }

    /// The message, with its place in the order of messages.
    mutating func seal(_ sequence: UInt64) {
        var head: [UInt8] = []
        head.append(Self.magic)
        head.append(packets)
        head.append(sequence)
        bytes.replaceSubrange(..<Self.headBytes, with: head)
    }

    mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: repeatElement(0, count: Self.headBytes))
        packets = 0
    }

    /// Hands over each packet; nil, possibly after some of them, for what no batch is.
    /// - Returns: the message's sequence number.
    static func read(_ message: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>, PacketNote) -> Void) -> UInt64? {
        var reader = ByteReader(message)
        guard reader.long() == magic, let count = reader.short(), let sequence = reader.number(bytes: 8) else { return nil }
        for _ in 0..<count {
            guard let size = reader.short(), let flags = reader.byte(), let time = reader.number(bytes: 8), let original = reader.long(),
                let network = reader.long(), let interface = reader.long(), let bytes = reader.take(Int(size)),
                let layer = FrameHeaders.Layer(rawValue: flags >> 1)
            else { return nil }
            body(
                bytes,
                PacketNote(
                    time: time, originalLength: original, network: network, interface: interface, isEgress: flags & 1 == 1, layer: layer))
        }
        return reader.left == 0 ? sequence : nil
    }
}

extension [UInt8] {
    /// Most significant byte first.
    mutating func append<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }
}
