import CNetlink
import Glibc

/// A netlink, namespace or inotify operation that failed.
public struct NetlinkError: Error, CustomStringConvertible, Sendable, Equatable {
    /// What was attempted, with its object: `"dump links"`, `"open network namespace blue"`.
    public var operation: String
    /// errno, from the system call or from the kernel's answer; 0 when only libnl itself failed.
    public var code: Int32
    /// The kernel's own words (extended acknowledgement, `NLMSGERR_ATTR_MSG`) or libnl's; empty when there are none.
    public var detail: String

    public init(_ operation: String, code: Int32, detail: String = "") {
        self.operation = operation
        self.code = code
        self.detail = detail
    }

    /// libnl's convention: a negative result is -NLE_*, which has fewer values than errno.
    init(_ operation: String, library result: Int32) {
        self.init(operation, code: 0, detail: "libnl: " + String(cString: nl_geterror(result)))
    }

    public var description: String {
        switch (code, detail.isEmpty) {
        case (0, _): "\(operation): \(detail)"
        case (_, true): "\(operation): \(String(cString: strerror(code)))"
        case (_, false): "\(operation): \(String(cString: strerror(code))) (\(detail))"
        }
    }
}
