/// A chain of security rules in force (nftables, nft(8)): one `chain` block of `nft list ruleset`.
public struct NetfilterChain: Sendable, Hashable {
    /// The packets that its table sees (NFPROTO_*).
    public enum Family: UInt8, Sendable, Hashable, CaseIterable {
        /// IPv4 and IPv6.
        case inet = 1
        case ip = 2
        case arp = 3
        case netdev = 5
        case bridge = 7
        case ip6 = 10
    }

    /// Where packets come into a base chain.
    public struct Hook: Sendable, Hashable {
        /// `"prerouting"`, `"input"`, `"forward"`, `"output"`, `"postrouting"`, `"ingress"` or `"egress"`; the number where it is none of them.
        public var name: String
        /// Lowest first.
        public var priority: Int32
        /// `"filter"`, `"nat"` or `"route"`.
        public var type: String
        /// What becomes of a packet that no rule decides about: accepted, else dropped.
        public var accepts: Bool
        /// The interfaces of an `ingress` or `egress` chain; empty for the others.
        public var devices: [String]

        public init(name: String, priority: Int32, type: String = "filter", accepts: Bool = true, devices: [String] = []) {
            self.name = name
            self.priority = priority
            self.type = type
            self.accepts = accepts
            self.devices = devices
        }
    }

    public var family: Family
    public var table: String
    public var name: String
    /// nil: only rules of other chains lead to it.
    public var hook: Hook?
    public var rules: Int
    /// As `nft --stateless list ruleset` writes it, a rule a line, without counters and without the elements of sets; nil when it could not be
    /// put in words.
    public var text: String?

    public init(family: Family, table: String, name: String, hook: Hook? = nil, rules: Int = 0, text: String? = nil) {
        self.family = family
        self.table = table
        self.name = name
        self.hook = hook
        self.rules = rules
        self.text = text
    }
}

/// The security rules in force in a network namespace.
public struct NetfilterRules: Sendable, Hashable {
    public var chains: [NetfilterChain]
    /// The kernel's count of the changes made to them: unequal numbers say that something changed, perhaps back again.
    public var generation: UInt32

    public init(chains: [NetfilterChain], generation: UInt32) {
        self.chains = chains
        self.generation = generation
    }

    /// Equal for equal chains, whatever their generation, in every run of the program (FNV-1a over their fields).
    public var digest: UInt64 {
        var digest = FNV1a()
        for chain in chains {
            digest.add(UInt64(chain.family.rawValue))
            digest.add(chain.table)
            digest.add(chain.name)
            if let hook = chain.hook {
                digest.add(hook.name)
                digest.add(UInt64(UInt32(bitPattern: hook.priority)))
                digest.add(hook.type)
                digest.add(hook.accepts ? 1 : 0)
                for device in hook.devices { digest.add(device) }
            }
            digest.add(UInt64(chain.rules))
            digest.add(chain.text ?? "\0")
        }
        return digest.value
    }
}

/// The 64-bit FNV-1a hash (draft-eastlake-fnv). Each value ends with a byte of its own, so that two cannot run into one another.
private struct FNV1a {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { add($0) } }
    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(0xFF as UInt8)
    }
    private mutating func add(_ bytes: UnsafeRawBufferPointer) { for byte in bytes { add(byte) } }
    private mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
}
