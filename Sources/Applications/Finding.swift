import Dissection
import NetworkTypes

/// What packets told.
public enum Finding: Hashable, Sendable {
    case application(ApplicationVerdict)
    /// A DNS answer gave an address its name, in the caller's network of that number.
    case name(DNSAnswers.Address, network: UInt32)
    /// The interface, as the caller numbers it, on which a neighbour announced itself.
    case neighbour(LLDPNeighbour, interface: UInt32)
}

/// What is known of a packet besides its bytes.
public struct PacketNote: Hashable, Sendable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    public var time: UInt64
    /// The packet's length before it was cut off.
    public var originalLength: UInt32
    /// See `Conversation.network`.
    public var network: UInt32
    /// The caller's number of the interface.
    public var interface: UInt32
    public var isEgress: Bool
    public var layer: FrameHeaders.Layer

    public init(
        time: UInt64, originalLength: UInt32, network: UInt32 = 0, interface: UInt32 = 0, isEgress: Bool = false,
        layer: FrameHeaders.Layer = .ethernet
    ) {
        self.time = time
        self.originalLength = originalLength
        self.network = network
        self.interface = interface
        self.isEgress = isEgress
        self.layer = layer
    }
}
