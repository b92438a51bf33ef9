import NetworkTypes

extension NetfilterRules {
    /// In the form of `nft list ruleset`: the chains of each table with their hooks and how many rules they have, and the rules where they
    /// were put in words. Empty where there are no chains.
    public var listing: String {
        var text = ""
        var table: (family: NetfilterChain.Family, name: String)?
        for chain in chains {
            if table == nil || table! != (chain.family, chain.table) {
                text += table == nil ? "" : "}\n"
                table = (chain.family, chain.table)
                text += "table \(chain.family) \(chain.table.visible) {\n"
            }
            text += "\tchain \(chain.name.visible) {  # rules: \(chain.rules)\n"
            if let hook = chain.hook {
                let devices = hook.devices.isEmpty ? "" : " devices { \(hook.devices.joined(separator: ", ")) }"
                text += "\t\ttype \(hook.type) hook \(hook.name)\(devices) priority \(hook.priority); "
                text += "policy \(hook.accepts ? "accept" : "drop");\n"
            }
            for rule in chain.text?.split(separator: "\n") ?? [] { text += "\t\t\(rule)\n" }
            text += "\t}\n"
        }
        return table == nil ? "" : text + "}\n"
    }
}
