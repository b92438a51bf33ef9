import CNetlink

/// A subscription to changes of the sysctls that ``NetlinkSocket/namespaceSettings(names:)`` tells: `ip monitor netconf`, of which it tells
/// only that something changed. For one thread.
public final class NamespaceSettingsMonitor {
    private let socket: MulticastSocket
    /// Readable when there is something to ``drain()``: for epoll(7), level-triggered.
    public var descriptor: Int32 { socket.descriptor }

    /// - Parameter namespace: nil for the calling thread's own.
    public init(in namespace: NetworkNamespace? = nil, receiveBuffer: Int32 = 1 << 20) throws(NetlinkError) {
        socket = try MulticastSocket(
            "settings", in: namespace, family: NETLINK_ROUTE, groups: [RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF].map(\.rawValue),
            receiveBuffer: receiveBuffer)
    }

    /// Reads what is waiting, without blocking.
    /// - Returns: true when a setting changed, or messages that may have said so were lost: read them all.
    public func drain() throws(NetlinkError) -> Bool {
        var hasChanged = false
        let isWhole = try socket.drain { if $0.type == RTM_NEWNETCONF || $0.type == RTM_DELNETCONF { hasChanged = true } }
        return hasChanged || !isWhole
    }
}
