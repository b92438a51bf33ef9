import CNetlink
import Glibc

/// One netlink message as received: its header and what follows (RFC 3549 section 2.3.2). Valid only while its buffer is.
struct NetlinkMessage {
    var header: nlmsghdr
    var payload: UnsafeRawBufferPointer

    var type: Int { Int(header.nlmsg_type) }

    /// The messages of one datagram. A message that claims more than is left, or less than its own header, ends the sequence.
    struct Datagram: Sequence, IteratorProtocol {
        private var rest: UnsafeRawBufferPointer

        init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

        mutating func next() -> NetlinkMessage? {
            let size = MemoryLayout<nlmsghdr>.size
            guard let header = rest.value(nlmsghdr.self) else { return nil }
            let length = Int(header.nlmsg_len)
            guard length >= size, length <= rest.count else { return nil }
            defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(netlinkAligned(length))) }
            return NetlinkMessage(header: header, payload: UnsafeRawBufferPointer(rebasing: rest[size..<length]))
        }
    }

    /// The outcome that an NLMSG_ERROR or NLMSG_DONE message carries: errno (0 for success) and the kernel's own words.
    var outcome: (code: Int32, detail: String) {
        let code = -(payload.value(Int32.self) ?? 0)
        guard Int32(header.nlmsg_flags) & NLM_F_ACK_TLVS != 0 else { return (code, "") }
        var skipped = MemoryLayout<Int32>.size
        if type == Int(NLMSG_ERROR) {
            // NLMSG_ERROR repeats the request's header, and its payload unless capped.
            let request = payload.value(nlmsghdr.self, at: skipped)
            let isCapped = Int32(header.nlmsg_flags) & NLM_F_CAPPED != 0
            skipped += isCapped ? MemoryLayout<nlmsghdr>.size : netlinkAligned(Int(request?.nlmsg_len ?? 0))
        }
        let words = NetlinkAttributes(payload, after: skipped).first { $0.type == NLMSGERR_ATTR_MSG.number }
        return (code, words?.value.text ?? "")
    }
}

/// A netlink attribute number: C's named enums arrive as structs, anonymous ones as `Int`.
extension nlmsgerr_attrs { var number: Int { Int(rawValue) } }
