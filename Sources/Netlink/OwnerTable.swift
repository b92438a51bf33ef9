import Glibc
import NetworkTypes

/// Which local process a TCP or UDP flow belongs to, as far as it can be known: sockets by sock_diag(7), processes by their descriptors.
///
/// A picture of one moment, made on request: one dump of the namespace's sockets and a walk over /proc that is bounded in processes and
/// descriptors. A flow whose socket is gone, or that this host only forwards, has no owner here.
public struct OwnerTable: Sendable {
    public struct Process: Sendable, Hashable {
        public var pid: Int32
        /// As the kernel names it: at most 15 bytes (comm, proc(5)).
        public var command: String
        public init(pid: Int32, command: String) {
            self.pid = pid
            self.command = command
        }
    }

    public enum Owner: Sendable, Hashable {
        /// The first found of those that hold the socket; `others` more hold it too (inherited by fork).
        case process(Process, others: Int)
        /// There is a socket, of this user, but its process was not found.
        case user(UInt32, Unknown)
        case unknown(Unknown)
    }

    /// Why there is no more to say.
    public enum Unknown: String, Sendable, Hashable {
        /// No socket of the namespace has these addresses and ports. Older kernels (6.1) also leave out one that is just becoming a
        /// TIME_WAIT one: it is in their table before it counts as alive.
        case noSocket = "no socket"
        /// No process holds the socket: it is closing, or the kernel's own.
        case noProcess = "no process holds the socket"
        /// The walk over processes ended at its bound.
        case walkBounded = "too many processes to look at all"
        /// Processes whose descriptors may not be read.
        case notPermitted = "descriptors may not be read"
        /// Neither TCP nor UDP.
        case otherProtocol = "neither TCP nor UDP"
    }

    /// How far the walk over processes goes.
    public struct Bounds: Sendable {
        public var processes = 8192
        public var descriptors = 262_144
        public init() {}
    }

    struct Place: Hashable {
        var ipProtocol: UInt8
        var local: IPAddress?
        var localPort: UInt16
        var remote: IPAddress?
        var remotePort: UInt16
        /// Of a socket that listens on any address: whether for IPv6.
        var anyIPv6: Bool?
    }
    private var sockets: [Place: (inode: UInt32, userID: UInt32)] = [:]
    private var holders: [UInt32: (first: Process, others: Int)] = [:]
    private let whyNotFound: Unknown

    public var socketCount: Int { sockets.count }

    /// Looks now.
    /// - Parameters:
    ///   - namespace: whose sockets; nil for the calling thread's own.
    public init(in namespace: NetworkNamespace? = nil, bounds: Bounds = Bounds()) throws(NetlinkError) {
        let walk = ProcessWalk(bounds)
        let observed = try NetlinkSocket.socketDiagnosis(in: namespace).inetSockets()
        let wanted = Set(observed.lazy.map(\.inode).filter { $0 != 0 })
        let result = try walk.holders(of: wanted)
        self.init(sockets: observed, holders: result.holders, whyNotFound: result.whyNotFound)
    }

    init(sockets observed: [SocketObservation], holders: [UInt32: (first: Process, others: Int)], whyNotFound: Unknown) {
        self.holders = holders
        self.whyNotFound = whyNotFound
        // Those of IPv4 first: a socket of IPv4 alone is found before one of both families.
        for socket in observed.filter({ !$0.isIPv6 }) + observed.filter(\.isIPv6) {
            var place = Place(
                ipProtocol: socket.ipProtocol, local: socket.local, localPort: socket.localPort, remote: socket.remote,
                remotePort: socket.remote == nil ? 0 : socket.remotePort, anyIPv6: socket.local == nil ? socket.isIPv6 : nil)
            keep(socket, at: place)
            if socket.isDualStack {
                place.anyIPv6 = false
                keep(socket, at: place)
            }
        }
    }

    /// With SO_REUSEPORT several sockets share a place: the first with a process is kept.
    private mutating func keep(_ socket: SocketObservation, at place: Place) {
        if let there = sockets[place], there.inode != 0 { return }
        sockets[place] = (socket.inode, socket.userID)
    }

    /// Whose the flow between a local and a remote end is: the connected socket, else one that is bound to the local address and port, else
    /// one that is bound to the port on any address.
    /// - Parameter ipProtocol: 6 or 17.
    public func lookup(
        ipProtocol: UInt8, local: IPAddress, localPort: UInt16, remote: IPAddress, remotePort: UInt16
    ) -> Owner {
        guard ipProtocol == UInt8(IPPROTO_TCP) || ipProtocol == UInt8(IPPROTO_UDP) else { return .unknown(.otherProtocol) }
        var isIPv6 = false
        if case .v6 = local { isIPv6 = true }
        let places = [
            Place(ipProtocol: ipProtocol, local: local, localPort: localPort, remote: remote, remotePort: remotePort),
            Place(ipProtocol: ipProtocol, local: local, localPort: localPort, remote: nil, remotePort: 0),
            Place(ipProtocol: ipProtocol, local: nil, localPort: localPort, remote: remote, remotePort: remotePort, anyIPv6: isIPv6),
            Place(ipProtocol: ipProtocol, local: nil, localPort: localPort, remote: nil, remotePort: 0, anyIPv6: isIPv6),
        ]
        guard let socket = places.lazy.compactMap({ sockets[$0] }).first else { return .unknown(.noSocket) }
        guard socket.inode != 0 else { return .unknown(.noProcess) }
        guard let holder = holders[socket.inode] else { return .user(socket.userID, whyNotFound) }
        return .process(holder.first, others: holder.others)
    }
}

extension OwnerTable.Owner: CustomStringConvertible {
    /// `"curl (4711)"`, `"curl (4711) and 2 more"`, `"user 1000: no process holds the socket"`, `"unknown: no socket"`.
    public var description: String {
        switch self {
        case .process(let process, 0): "\(process.command) (\(process.pid))"
        case .process(let process, let others): "\(process.command) (\(process.pid)) and \(others) more"
        case .user(let id, let why): "user \(id): \(why.rawValue)"
        case .unknown(let why): "unknown: \(why.rawValue)"
        }
    }
}
