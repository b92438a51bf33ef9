import Glibc

/// Why applications cannot be told.
public enum ApplicationsError: Error, Sendable, Equatable, CustomStringConvertible {
    case system(operation: String, code: Int32)
    /// The library on this machine is another than the one that this program was built for.
    case otherLibrary(version: String)
    /// The library could not be set up, which takes some megabytes.
    case noLibrary

    public var description: String {
        switch self {
        case .system(let operation, let code): "\(operation): \(String(cString: strerror(code)))"
        case .otherLibrary(let version): "nDPI is \(version), whose flows are laid out otherwise than in the version built for"
        case .noLibrary: "nDPI could not be initialised"
        }
    }
}
