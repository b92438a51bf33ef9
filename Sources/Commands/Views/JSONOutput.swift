import FoundationEssentials

/// `--json`: one document, members sorted so that two outputs can be compared.
public enum JSONOutput {
    public static func text(_ value: some Encodable, pretty: Bool) throws(CommandFailure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        do { return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n" } catch {
            throw CommandFailure("write JSON", "\(error)")
        }
    }
}
