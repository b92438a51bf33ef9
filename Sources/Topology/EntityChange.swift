/// What an entity of the topology became, as the store and the advertisement carry it: its key and its state in bytes.
///
/// The topology names and encodes its entities; who stores or sends changes treats both as opaque.
public struct EntityChange: Sendable, Hashable {
    /// Stable over restarts: `host/web1/ns/blue/if/veth0`. UTF-8, at most 512 bytes.
    public var key: String
    /// Everything about the entity that is kept with history; nil when it vanished. Equal states have equal bytes.
    public var state: [UInt8]?

    public init(key: String, state: [UInt8]?) {
        self.key = key
        self.state = state
    }
}
