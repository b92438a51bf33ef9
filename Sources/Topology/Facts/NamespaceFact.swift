/// A network namespace. The cookie (SO_NETNS_COOKIE, socket(7)) is its identity while it lives, and how observations name it; the name is
/// what its key is made of.
public struct NamespaceFact: Sendable, Hashable {
    public var cookie: UInt64
    /// Its name under /run/netns, or one that the observer gives to a namespace without.
    public var name: String
    /// Whose it is, for people: a container, a unit, a process.
    public var owner: String

    public init(cookie: UInt64, name: String, owner: String = "") {
        self.cookie = cookie
        self.name = name
        self.owner = owner
    }
}
