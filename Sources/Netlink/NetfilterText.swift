import CNftables
import Glibc
import Topology

/// Security rules in the words of nft(8), by libnftables.
///
/// The library takes the rules' bytes, which whoever administers a namespace may have made by hand, and asserts that they are as it would have
/// made them: keep it out of a process that must not end. What ``NetlinkSocket/netfilterRules()`` tells needs no library.
public enum NetfilterText {
    /// `nft --stateless --terse list ruleset`: puts its words into the chains of `rules`, which were read before; a chain that it does not
    /// list keeps nil.
    /// - Parameter namespace: nil for the calling thread's own.
    public static func describe(_ rules: inout NetfilterRules, in namespace: NetworkNamespace? = nil) throws(NetlinkError) {
        // The whole run takes place inside: the library opens a second socket when it meets an interface's number.
        let text = if let namespace { try namespace.entered(list) } else { try list() }
        let bodies = chains(text)
        for index in rules.chains.indices { rules.chains[index].text = bodies[rules.chains[index].key] }
    }

    private static func list() throws(NetlinkError) -> String {
        let operation = "list the security rules"
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else { throw NetlinkError(operation, code: ENOMEM) }
        defer { nft_ctx_free(context) }
        guard nft_ctx_buffer_output(context) == 0, nft_ctx_buffer_error(context) == 0 else { throw NetlinkError(operation, code: ENOMEM) }
        nft_ctx_output_set_flags(context, UInt32(NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE))
        guard nft_run_cmd_from_buffer(context, "list ruleset") == 0 else {
            let words = nft_ctx_get_error_buffer(context).map { String(cString: $0) } ?? ""
            throw NetlinkError(operation, code: 0, detail: "nft: \(words.split(separator: "\n").first ?? "no reason given")")
        }
        return nft_ctx_get_output_buffer(context).map { String(cString: $0) } ?? ""
    }

    /// The rules of each chain in a listing. nft indents by tabs: tables start at the margin, chains after one, their rules after two.
    static func chains(_ listing: String) -> [NetfilterChain.Key: String] {
        var found: [NetfilterChain.Key: String] = [:]
        var table: (family: UInt8, name: String)?
        var chain: NetfilterChain.Key?
        var body: [Substring] = []
        for line in listing.split(separator: "\n", omittingEmptySubsequences: false) {
            if let words = heading(line, "table "), words.count >= 2 {
                table = family(words[0]).map { ($0, String(words[1])) }
            } else if let words = heading(line, "\tchain "), let table, let name = words.first {
                chain = NetfilterChain.Key(family: table.family, table: table.name, name: String(name))
                body = []
            } else if line == "\t}", let ended = chain {
                found[ended] = body.joined(separator: "\n")
                chain = nil
            } else if chain != nil, line.hasPrefix("\t\t") {
                // The line of the hook says what the chain's other fields do.
                if !(body.isEmpty && line.hasPrefix("\t\ttype ") && line.contains(" hook ")) { body.append(line.dropFirst(2)) }
            }
        }
        return found
    }

    /// The words between `start` and the brace of a line such as `table inet filter { # progname firewalld`.
    private static func heading(_ line: Substring, _ start: String) -> [Substring]? {
        guard line.hasPrefix(start) else { return nil }
        let words = line.dropFirst(start.count).split(separator: " ")
        return words.firstIndex(of: "{").map { Array(words[..<$0]) }
    }

    private static func family(_ word: Substring) -> UInt8? {
        NetfilterChain.Family.allCases.first { "\($0)" == word }?.rawValue
    }
}
