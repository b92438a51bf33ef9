import Glibc

/// A program of this package, built beside the tests; nil when it is not there.
public func builtProgram(_ name: String) -> String? {
    var link = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &link, link.count)
    let own = String(decoding: link.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    let places = [CommandLine.arguments[0], own] + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
    return places.compactMap { place in place.lastIndex(of: "/").map { "\(place[..<$0])/\(name)" } }
        .first { access($0, X_OK) == 0 }
}
