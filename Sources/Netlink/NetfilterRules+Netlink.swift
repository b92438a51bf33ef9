import CNetlink
import Glibc
import Topology

extension NetfilterChain {
    /// From the payload of NFT_MSG_NEWCHAIN, without rules and text; nil when it is cut short, without a name or of a family unknown here.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(nfgenmsg.self), let family = Family(rawValue: header.nfgen_family) else { return nil }
        self.init(family: family, table: "", name: "")
        var hook: Hook?
        var type = ""
        var accepts = true
        for (attribute, value) in NetlinkAttributes(payload, after: MemoryLayout<nfgenmsg>.size) {
            switch attribute {
            case Int(NFTA_CHAIN_TABLE.rawValue): table = value.text
            case Int(NFTA_CHAIN_NAME.rawValue): name = value.text
            case Int(NFTA_CHAIN_HOOK.rawValue): hook = Hook(netlink: value, family)
            case Int(NFTA_CHAIN_TYPE.rawValue): type = value.text
            // NF_DROP is 0.
            case Int(NFTA_CHAIN_POLICY.rawValue): accepts = value.bigEndian(UInt32.self) != 0
            default: break
            }
        }
        if table.isEmpty || name.isEmpty { return nil }
        hook?.type = type
        hook?.accepts = accepts
        self.hook = hook
    }

    /// What names a chain in a namespace.
    struct Key: Hashable {
        var family: UInt8
        var table: String
        var name: String
    }

    var key: Key { Key(family: family.rawValue, table: table, name: name) }
}

extension NetfilterChain.Key {
    /// The chain of a rule, from the payload of NFT_MSG_NEWRULE.
    init?(rule payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(nfgenmsg.self) else { return nil }
        self.init(family: header.nfgen_family, table: "", name: "")
        for (attribute, value) in NetlinkAttributes(payload, after: MemoryLayout<nfgenmsg>.size) {
            switch attribute {
            case Int(NFTA_RULE_TABLE.rawValue): table = value.text
            case Int(NFTA_RULE_CHAIN.rawValue): name = value.text
            default: break
            }
        }
        if table.isEmpty || name.isEmpty { return nil }
    }
}

extension NetfilterChain.Hook {
    /// From NFTA_CHAIN_HOOK.
    fileprivate init?(netlink nest: UnsafeRawBufferPointer, _ family: NetfilterChain.Family) {
        var number: UInt32?
        self.init(name: "", priority: 0)
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case Int(NFTA_HOOK_HOOKNUM.rawValue): number = value.bigEndian()
            case Int(NFTA_HOOK_PRIORITY.rawValue): priority = value.bigEndian(Int32.self) ?? 0
            case Int(NFTA_HOOK_DEV.rawValue): devices = [value.text]
            case Int(NFTA_HOOK_DEVS.rawValue): devices = NetlinkAttributes(value).map { $0.value.text }
            default: break
            }
        }
        guard let number else { return nil }
        let names = Self.names(family)
        name = names.indices.contains(Int(number)) ? names[Int(number)] : String(number)
    }

    /// By number: NF_INET_*, NF_ARP_*, NF_NETDEV_*.
    private static func names(_ family: NetfilterChain.Family) -> [String] {
        switch family {
        case .inet, .ip, .ip6, .bridge: ["prerouting", "input", "forward", "output", "postrouting", "ingress"]
        case .arp: ["input", "output", "forward"]
        case .netdev: ["ingress", "egress"]
        }
    }
}

extension UnsafeRawBufferPointer {
    /// A number in network order, as netfilter writes them; nil when there are too few bytes.
    func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T? { value(T.self).map { T(bigEndian: $0) } }
}

extension NetlinkSocket {
    /// A netfilter socket, for rules and translations. Its requests need CAP_NET_ADMIN in the namespace.
    /// - Parameter namespace: nil for the calling thread's own.
    public static func netfilter(in namespace: NetworkNamespace? = nil) throws(NetlinkError) -> NetlinkSocket {
        try NetlinkSocket(in: namespace, family: NETLINK_NETFILTER)
    }

    /// `nft list chains`, with how many rules each has and without their text (see ``NetfilterText``): the chains of every table of the
    /// namespace, in the kernel's order. Ask a socket made by ``netfilter(in:)``.
    /// - Parameter most: bytes of rules that are put in words by ``NetfilterWords``; chains with rules beyond have no text, nor has any for 0.
    public func netfilterRules(words most: Int = 0) throws(NetlinkError) -> NetfilterRules {
        for _ in 0..<Self.dumpAttempts {
            let generation = try netfilterGeneration()
            var chains = try dump(nftables(NFT_MSG_GETCHAIN), nfgenmsg(), "dump chains") { message in
                message.type == nftables(NFT_MSG_NEWCHAIN) ? NetfilterChain(netlink: message.payload) : nil
            }
            var counts: [NetfilterChain.Key: Int] = [:]
            var texts: [NetfilterChain.Key: String] = [:]
            var room = most
            // Counted while read: the rules themselves may be many and long.
            _ = try dump(nftables(NFT_MSG_GETRULE), nfgenmsg(), "dump rules", start: { (counts, texts, room) = ([:], [:], most) }) {
                (message) -> Never? in
                if message.type == nftables(NFT_MSG_NEWRULE), let key = NetfilterChain.Key(rule: message.payload) {
                    counts[key, default: 0] += 1
                    if room > 0 {
                        let text = NetfilterWords.rule(message.payload) + "\n"
                        texts[key, default: ""] += text
                        room -= text.utf8.count
                    }
                }
                return nil
            }
            for index in chains.indices {
                let key = chains[index].key
                chains[index].rules = counts[key] ?? 0
                chains[index].text = texts[key]
            }
            if try netfilterGeneration() == generation { return NetfilterRules(chains: chains, generation: generation) }
        }
        throw NetlinkError("dump rules", code: EAGAIN, detail: "they changed during each of \(Self.dumpAttempts) dumps")
    }

    /// ``NetfilterRules/generation`` alone, to see at little cost whether anything changed.
    public func netfilterGeneration() throws(NetlinkError) -> UInt32 {
        var generation: UInt32?
        try request(nftables(NFT_MSG_GETGEN), nfgenmsg(), [], "read the generation of the rules") { message in
            for (type, value) in NetlinkAttributes(message.payload, after: MemoryLayout<nfgenmsg>.size)
            where message.type == nftables(NFT_MSG_NEWGEN) && type == Int(NFTA_GEN_ID.rawValue) {
                generation = value.bigEndian()
            }
        }
        guard let generation else { throw NetlinkError("read the generation of the rules", code: EPROTO) }
        return generation
    }
}

/// The message type of a request to nf_tables.
private func nftables(_ message: nf_tables_msg_types) -> Int { Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(message.rawValue) }

/// A subscription to changes of a namespace's rules: `nft monitor`, of which it tells only that something changed. For one thread.
public final class NetfilterMonitor {
    private let socket: MulticastSocket
    /// Readable when there is something to ``drain()``: for epoll(7), level-triggered.
    public var descriptor: Int32 { socket.descriptor }

    /// - Parameter namespace: nil for the calling thread's own.
    public init(in namespace: NetworkNamespace? = nil, receiveBuffer: Int32 = 1 << 20) throws(NetlinkError) {
        socket = try MulticastSocket(
            "security rules", in: namespace, family: NETLINK_NETFILTER, groups: [NFNLGRP_NFTABLES.rawValue], receiveBuffer: receiveBuffer)
    }

    /// Reads what is waiting, without blocking.
    /// - Returns: true when rules changed, or messages that may have said so were lost: dump them.
    public func drain() throws(NetlinkError) -> Bool {
        var hasChanged = false
        let isWhole = try socket.drain { if $0.type == nftables(NFT_MSG_NEWGEN) { hasChanged = true } }
        return hasChanged || !isWhole
    }
}
