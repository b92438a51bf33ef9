import NetworkTypes

/// Openings by host, and how many peers and ports each has had, in cells that hosts share: a row of a count-min sketch (Cormode,
/// Muthukrishnan, “An improved data stream summary: the count-min sketch and its applications”, 2005), whose cells also hold registers of
/// distinct values and the address of the rarest pair (after Tang, Huang, Lee, “SpreadSketch”, 2020).
///
/// A count of openings is never too low. That of the others in its cell is a 512th of all on average, and by Markov's inequality more than
/// ``excess`` of it in one case of four at most. Peers and ports are those of all hosts of a cell, with the registers' standard deviation of 26 %.
public struct HostSketch: Sendable, Hashable {
    /// `struct nilo_sketch_cell`.
    public struct Cell: Sendable, Hashable {
        public var address: SIMD2<UInt64> = .zero
        public var isIPv6 = false
        public var isEgress = false
        public var interface: UInt32 = 0
        /// Of the pair that the address is of; 0: nothing came here.
        public var rank: UInt8 = 0
        /// TCP packets with SYN and without ACK.
        public var openings: UInt64 = 0
        public var peers = SIMD16<UInt8>()
        public var ports = SIMD16<UInt8>()
        public init() {}

        mutating func merge(_ other: Cell) {
            openings &+= other.openings
            peers = pointwiseMax(peers, other.peers)
            ports = pointwiseMax(ports, other.ports)
            guard other.rank > rank else { return }
            (address, isIPv6, isEgress) = (other.address, other.isIPv6, other.isEgress)
            (interface, rank) = (other.interface, other.rank)
        }
    }

    /// What is estimated of one host.
    public struct Host: Sendable {
        public var address: IPAddress
        /// Where a packet of it was seen.
        public var interface: UInt32
        public var isEgress: Bool
        public var openings: UInt64
        public var peers: Double
        public var ports: Double
    }

    /// A packet, to be counted for one of its hosts.
    public struct Packet: Sendable {
        public var address: SIMD2<UInt64>
        public var isIPv6 = false
        public var isEgress = false
        public var interface: UInt32 = 0
        /// Hashes of the address, of the other one, and of the destination port.
        public var host: UInt64
        public var peer: UInt64
        public var port: UInt64
        public var isOpening: Bool
        /// Peer and port count.
        public var opens: Bool

        public init(address: SIMD2<UInt64>, host: UInt64, peer: UInt64, port: UInt64, isOpening: Bool, opens: Bool) {
            self.address = address
            self.host = host
            self.peer = peer
            self.port = port
            self.isOpening = isOpening
            self.opens = opens
        }
    }

    public private(set) var cells: [Cell]
    public var width: Int { cells.count }

    public init(width: Int) { self.init(Array(repeating: Cell(), count: width)) }

    /// As they were read from elsewhere.
    public init(_ cells: [Cell]) {
        precondition(cells.count > 0 && cells.count & (cells.count - 1) == 0, "\(cells.count) cells")
        self.cells = cells
    }

    /// By how much a count is too high at most, as a part of the count of all, but for ``failure``.
    public var excess: Double { 4 / Double(width) }
    public static let failure = 0.25
    /// The standard deviation of peers and ports.
    public static let relativeError = 0.26

    private func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 8 & UInt64(width - 1)) }

    /// As the programs add it (`nilo_sketch_host`).
    public mutating func add(_ packet: Packet) {
        let at = place(packet.host)
        if packet.isOpening { cells[at].openings &+= 1 }
        let rank = HyperLogLog.rank(packet.host ^ packet.peer ^ packet.port)
        if rank > cells[at].rank {
            (cells[at].address, cells[at].isIPv6, cells[at].isEgress) = (packet.address, packet.isIPv6, packet.isEgress)
            (cells[at].interface, cells[at].rank) = (packet.interface, rank)
        }
        guard packet.opens else { return }
        func raise(_ registers: inout SIMD16<UInt8>, _ hash: UInt64) {
            let index = Int(truncatingIfNeeded: hash & 15)
            registers[index] = max(registers[index], HyperLogLog.rank(hash >> 4))
        }
        raise(&cells[at].peers, packet.peer)
        raise(&cells[at].ports, packet.port)
    }

    /// - Precondition: both are of the same size and hash.
    public mutating func merge(_ other: HostSketch) {
        precondition(width == other.width, "sketches of \(width) and \(other.width) cells")
        for index in cells.indices { cells[index].merge(other.cells[index]) }
    }

    /// Of all hosts.
    public var total: UInt64 { cells.reduce(0) { $0 &+ $1.openings } }

    /// Of any host, whether it was ever there or not.
    public func openings(ofHash hash: UInt64) -> UInt64 { cells[place(hash)].openings }

    /// The hosts whose addresses are in cells, which are those with many peers or ports, likely.
    public var hosts: [Host] {
        cells.lazy.filter { $0.rank > 0 }.map { cell in
            Host(
                address: cell.isIPv6 ? IPAddress(v6Field: (cell.address.x, cell.address.y)) : IPAddress(v4Field: cell.address.x),
                interface: cell.interface, isEgress: cell.isEgress, openings: cell.openings,
                peers: Self.estimate(cell.peers), ports: Self.estimate(cell.ports))
        }
    }

    private static func estimate(_ registers: SIMD16<UInt8>) -> Double { HyperLogLog.estimate((0..<16).lazy.map { registers[$0] }) }
}
