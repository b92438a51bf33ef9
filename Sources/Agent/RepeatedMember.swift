import FoundationEssentials

/// Finds a member that an object of a JSON text has twice; a decoder takes one of them and passes over the other.
enum RepeatedMember {
    private struct Frame {
        /// nil: an array.
        var names: Set<String>?
        /// The member whose value is being read.
        var current = ""
    }

    /// - Parameter bytes: JSON (RFC 8259) in UTF-8 that a decoder has accepted.
    /// - Returns: the member with the names of those around it, `put.web.yaml`; nil: none.
    static func find(in bytes: [UInt8]) -> String? {
        var frames: [Frame] = []
        var isName = false
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            let start = at
            at += 1
            switch byte {
            case UInt8(ascii: "{"):
                frames.append(Frame(names: []))
                isName = true
            case UInt8(ascii: "["):
                frames.append(Frame(names: nil))
                isName = false
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = frames.popLast()
                isName = false
            case UInt8(ascii: ","): isName = frames.last?.names != nil
            case UInt8(ascii: ":"): isName = false
            case UInt8(ascii: "\""):
                while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
                at += 1
                guard isName, at <= bytes.count, let last = frames.indices.last else { continue }
                let name = text(bytes[start..<at])
                frames[last].current = name
                if frames[last].names?.insert(name).inserted == false {
                    return frames.filter { $0.names != nil }.map(\.current).joined(separator: ".")
                }
            default: break
            }
        }
        return nil
    }

    /// A string with its quotes; `\u0070ut` is `put`.
    private static func text(_ quoted: ArraySlice<UInt8>) -> String {
        var list: [UInt8] = [UInt8(ascii: "[")]
        list.append(contentsOf: quoted)
        list.append(UInt8(ascii: "]"))
        let decoded = try? JSONDecoder().decode([String].self, from: Data(list))
        return decoded?.first ?? String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
    }
}
