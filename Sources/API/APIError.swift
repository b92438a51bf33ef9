import Glibc

/// Why a listener is not there.
public enum ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another process accepts connections on the socket.
    case anotherInstance(path: String)
    /// Something that is no socket has the path.
    case notASocket(path: String)
    case unknownGroup(String)
    /// A path too long for `sockaddr_un`, or an address that is none.
    case badAddress(String)
    /// TLS could not be started with the certificate and key.
    case badCertificate
    case system(operation: String, code: Int32)

    public var description: String {
        switch self {
        case .anotherInstance(let path): "another instance is running: \(path) is answered"
        case .notASocket(let path): "\(path) exists and is not a socket"
        case .unknownGroup(let name): "there is no group \(name)"
        case .badAddress(let text): "\(text) is not an address to listen on"
        case .badCertificate: "the certificate and its key are not taken for TLS"
        case .system(let operation, let code): "\(operation): \(String(cString: strerror(code)))"
        }
    }

    public var hint: String? {
        switch self {
        case .anotherInstance: "stop it with: nilo stop"
        case .unknownGroup(let name): "make it with: groupadd --system \(name)"
        case .badCertificate: "both are PEM, the key belongs to the certificate and has no password: openssl x509 -in FILE -noout -text"
        case .system(_, let code) where code == EACCES || code == EPERM: "run as root"
        case .system(_, let code) where code == EADDRINUSE: "choose another port, or stop what listens there"
        default: nil
        }
    }
}
