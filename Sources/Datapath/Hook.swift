import Flows

/// How the programs get onto an interface.
public enum AttachMode: String, Sendable, CaseIterable {
    /// tcx where the kernel has it, else clsact.
    case auto
    /// A tcx link (Linux 6.6).
    case tcx
    /// A filter on the clsact qdisc.
    case clsact
}

/// Where the programs stand among others on the same hook.
public enum HookOrder: String, Sendable, CaseIterable {
    /// Nearest to the device: first on ingress, last on egress. Sees what the device counted.
    case outer
    case first
    case last

    func isFirst(_ direction: Direction) -> Bool {
        switch self {
        case .outer: direction == .ingress
        case .first: true
        case .last: false
        }
    }
}

/// The counters that `ip -s link` and `tc -s qdisc` show of a device, in one direction.
public struct DeviceCounters: Sendable, Hashable {
    public var packets: UInt64
    public var bytes: UInt64
    /// Dropped by the driver: on egress after the hook.
    public var driverDrops: UInt64
    /// Dropped by the root qdisc: on egress after the hook.
    public var queueDrops: UInt64
    /// Waiting in the root qdisc now: behind the hook, and not yet with the device.
    public var waitingPackets: UInt64
    public var waitingBytes: UInt64

    public init(
        packets: UInt64, bytes: UInt64, driverDrops: UInt64 = 0, queueDrops: UInt64 = 0, waitingPackets: UInt64 = 0,
        waitingBytes: UInt64 = 0
    ) {
        self.packets = packets
        self.bytes = bytes
        self.driverDrops = driverDrops
        self.queueDrops = queueDrops
        self.waitingPackets = waitingPackets
        self.waitingBytes = waitingBytes
    }
}

/// What is known of an interface that is to be attached.
public struct Device: Sendable {
    public var ifindex: UInt32
    public var name: String
    public var namespaceCookie: UInt64
    /// Frames start at the network header (tun and other devices without Ethernet).
    public var isLayer3: Bool

    public init(ifindex: UInt32, name: String, namespaceCookie: UInt64, isLayer3: Bool = false) {
        self.ifindex = ifindex
        self.name = name
        self.namespaceCookie = namespaceCookie
        self.isLayer3 = isLayer3
    }
}
