/// What is estimated of packets that found no room in the flow table: `struct nilo_sketch`, of a span of time and any number of CPUs.
public struct TrafficSketch: Sendable, Hashable {
    /// Socket buffers.
    public var packets: UInt64 = 0
    /// Of packets that open: TCP's SYN, and datagrams not to the higher port.
    public var sources: HyperLogLog
    public var destinations: HyperLogLog
    /// Destination ports.
    public var ports: HyperLogLog
    public var bySource: HostSketch
    public var byDestination: HostSketch

    /// The datapath's sizes (`NILO_SKETCH_REGISTERS`, `NILO_SKETCH_WIDTH`).
    public static let registers = 2048
    public static let width = 512

    public init() {
        sources = HyperLogLog(registers: Self.registers)
        destinations = sources
        ports = sources
        bySource = HostSketch(width: Self.width)
        byDestination = bySource
    }

    public mutating func merge(_ other: TrafficSketch) {
        packets &+= other.packets
        sources.merge(other.sources)
        destinations.merge(other.destinations)
        ports.merge(other.ports)
        bySource.merge(other.bySource)
        byDestination.merge(other.byDestination)
    }
}
