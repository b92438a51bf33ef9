/// The name under /run/netns in a namespace's owner as the agent tells it ("netns blue"); nil for a container, a unit or what is not known.
func namespaceName(of owner: String) -> String? { owner.hasPrefix("netns ") ? String(owner.dropFirst(6)) : nil }

/// An owner before the name of an interface, as `blue:eth0`; nothing for the agent's own namespace.
func namespacePrefix(_ owner: String?) -> String { owner.map { "\(namespaceName(of: $0) ?? $0):" } ?? "" }
