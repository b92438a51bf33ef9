import Configuration
import Reports

/// Which interfaces are asked for: `NAME`, or `NAMESPACE:NAME` where a name stands in several namespaces. Both may be patterns.
///
/// The namespace is given as answers show it: a name under /run/netns, a container, a unit; `host` is the agent's own.
struct InterfacePattern: Sendable, Equatable {
    /// nil: in any.
    var namespace: Glob?
    var name: Glob

    /// nil when a part is empty. No interface's name has a colon (dev_valid_name in the kernel), so the last one divides.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else {
            guard !text.isEmpty else { return nil }
            name = Glob(text)
            return
        }
        let (namespace, name) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
        guard !namespace.isEmpty, !name.isEmpty else { return nil }
        self.namespace = Glob(namespace)
        self.name = Glob(name)
    }

    /// - Parameter owner: what the interface's namespace belongs to, as `netns blue`; nil: the agent's own.
    func matches(_ name: String, owner: String?) -> Bool {
        guard self.name.matches(name) else { return false }
        guard let namespace else { return true }
        guard let owner else { return namespace.matches("host") }
        return namespace.matches(owner) || namespaceName(of: owner).map(namespace.matches) ?? false
    }
}
