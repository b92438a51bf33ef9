import NetworkTypes

/// Lays out one datagram: header, count of samples, samples; XDR (RFC 4506), so everything is big-endian and a multiple of four bytes.
struct DatagramWriter: Sendable {
    private var bytes: [UInt8] = []
    private var samples: UInt32 = 0
    private var samplesAt = 0

    var isOpen: Bool { !bytes.isEmpty }
    var count: Int { bytes.count }

    static func headerBytes(_ agent: IPAddress) -> Int {
        if case .v4 = agent { 28 } else { 40 }
    }

    mutating func open(agent: IPAddress, subAgent: UInt32, sequence: UInt32, milliseconds: UInt32, reserving bound: Int) {
        bytes.reserveCapacity(bound)
        put(UInt32(5))
        switch agent {
        case .v4(let address):
            put(UInt32(1))
            put(address)
        case .v6(let high, let low):
            put(UInt32(2))
            put(high)
            put(low)
        }
        put(subAgent)
        put(sequence)
        put(milliseconds)
        samplesAt = bytes.count
        put(UInt32(0))
    }

    mutating func countSample() { samples += 1 }

    /// nil: nothing was open.
    mutating func finish() -> [UInt8]? {
        guard isOpen else { return nil }
        for byte in 0..<4 { bytes[samplesAt + byte] = UInt8(truncatingIfNeeded: samples >> UInt32(24 - 8 * byte)) }
        defer {
            bytes = []
            samples = 0
        }
        return bytes
    }

    mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(bytes field: UnsafeRawBufferPointer, padded: Int) {
        bytes.append(contentsOf: field)
        bytes.append(contentsOf: repeatElement(0, count: padded - field.count))
    }
}
