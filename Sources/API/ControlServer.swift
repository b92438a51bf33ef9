import CMicrohttpd
import Glibc

/// HTTP over a Unix stream socket, or over TCP for what only asks: libmicrohttpd with one thread of its own for each listener.
///
/// The handler runs on that thread, one request at a time: it answers out of a snapshot and never waits. What takes longer it hands on
/// (``ControlResponse/Body/later(_:)``), and the thread serves others meanwhile. Sizes, connections and times are
/// bounded (``Limits``), so that nobody who may connect can make the agent grow or keep others out.
public final class ControlServer: Sendable {
    public typealias Handler = @Sendable (ControlRequest) -> ControlResponse

    public enum Endpoint: Sendable {
        /// `group` nil keeps the file with the group of the process.
        case unix(path: String, group: String?, mode: UInt32 = 0o660, readOnly: Bool = false)
        /// Always read only. Port 0 takes a free one, see ``ControlServer/port``. With `tls` nothing else is spoken (RFC 8446, RFC 5246).
        case tcp(host: String, port: UInt16, tls: Certificate? = nil)
    }

    /// Both in PEM (RFC 7468).
    public struct Certificate: Sendable, Equatable {
        public var chain: String
        public var key: String

        public init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    public struct Limits: Sendable {
        public var bodyBytes = 64 << 10
        public var connections = 256
        public var streams = 32
        /// Answers of more than one piece that are under way: each holds on to what it is made of.
        public var largeAnswers = 2
        /// Until a whole request has come, from its connection or the end of the one before.
        public var requestTime = Duration.seconds(10)
        /// Until an answer that is no stream has been taken, and a second more for each MiB of it that has been.
        public var responseTime = Duration.seconds(60)
        public init() {}
    }

    private let session: Session
    // @unchecked in effect: the daemon's functions used here (stop) may be called from any thread; it is called once, in deinit.
    nonisolated(unsafe) private let daemon: OpaquePointer
    private let listener: Listener
    private let secrets: [SecretText]
    /// The TCP port listened on.
    public var port: UInt16 { listener.port }

    /// Binds and serves in one step.
    public convenience init(
        _ endpoint: Endpoint, limits: Limits = Limits(), controlSocket: String? = nil, handler: @escaping Handler
    ) throws(ListenError) {
        try self.init(BoundEndpoint(endpoint), limits: limits, controlSocket: controlSocket, handler: handler)
    }

    /// Starts the thread that serves a listener.
    /// - Parameter controlSocket: of one that is read only, where changes are to be asked for.
    public init(
        _ bound: consuming BoundEndpoint, limits: Limits = Limits(), controlSocket: String? = nil, handler: @escaping Handler
    ) throws(ListenError) {
        let readOnly = bound.readOnly
        listener = bound.listener
        let session = Session(limits: limits, readOnly: readOnly, controlSocket: controlSocket, handler: handler)
        self.session = session
        // libmicrohttpd closes the listening socket when it stops, so it has a descriptor of its own.
        let socket = fcntl(listener.fd, F_DUPFD_CLOEXEC, 3)
        guard socket >= 0 else { throw .system(operation: "duplicate the socket", code: errno) }
        let context = Unmanaged.passUnretained(session).toOpaque()
        var options = [
            MHD_OptionItem(option: .LISTEN_SOCKET, value: Int(socket), ptr_value: nil),
            // Above our own limit, at which the server itself makes room: at libmicrohttpd's it would only stop to accept.
            MHD_OptionItem(option: .CONNECTION_LIMIT, value: limits.connections + 64, ptr_value: nil),
            MHD_OptionItem(option: .CONNECTION_TIMEOUT, value: Int(limits.responseTime.components.seconds), ptr_value: nil),
            MHD_OptionItem(option: .NOTIFY_CONNECTION, value: unsafeBitCast(connectionChanged, to: Int.self), ptr_value: context),
            MHD_OptionItem(option: .NOTIFY_COMPLETED, value: unsafeBitCast(requestCompleted, to: Int.self), ptr_value: context),
        ]
        var flags =
            MHD_USE_EPOLL.rawValue | MHD_USE_INTERNAL_POLLING_THREAD.rawValue | MHD_USE_SUSPEND_RESUME.rawValue | MHD_USE_ITC.rawValue
        // libmicrohttpd keeps pointers to them.
        secrets = bound.certificate.map { [SecretText($0.chain), SecretText($0.key)] } ?? []
        if let chain = secrets.first, let key = secrets.last {
            flags |= MHD_USE_TLS.rawValue
            options.append(MHD_OptionItem(option: .HTTPS_MEM_CERT, value: 0, ptr_value: chain.pointer))
            options.append(MHD_OptionItem(option: .HTTPS_MEM_KEY, value: 0, ptr_value: key.pointer))
        }
        options.append(MHD_OptionItem(option: .END, value: 0, ptr_value: nil))
        errno = 0
        guard let daemon = MHD_start(flags, 0, accessed, context, options) else {
            let code = errno
            close(socket)
            // GnuTLS tells its reasons on standard error alone.
            if bound.certificate != nil, code == 0 { throw .badCertificate }
            throw .system(operation: "start the HTTP server", code: code)
        }
        self.daemon = daemon
    }

    /// Ends every connection and stream; returns when the thread is gone, so do not let go of the last reference inside the handler.
    deinit {
        session.stop()
        MHD_stop_daemon(daemon)
    }
}

/// A listener that is not served yet: whoever connects waits.
///
/// Binding needs privileges (the socket's group, its directory), and serving starts a thread, whose capabilities nobody could take away any
/// more: so a process binds, drops its capabilities, and then serves.
public struct BoundEndpoint: ~Copyable {
    let listener: Listener
    let readOnly: Bool
    let certificate: ControlServer.Certificate?

    public init(_ endpoint: ControlServer.Endpoint) throws(ListenError) {
        switch endpoint {
        case .unix(let path, let group, let mode, let only):
            listener = try Listener.unix(path: path, group: group, mode: mode)
            readOnly = only
            certificate = nil
        case .tcp(let host, let port, let tls):
            listener = try Listener.tcp(host: host, port: port)
            readOnly = true
            certificate = tls
        }
    }
}

/// A C string at one place until its owner goes, then overwritten.
private final class SecretText: Sendable {
    nonisolated(unsafe) let pointer: UnsafeMutablePointer<CChar>
    private let size: Int

    init(_ text: String) {
        let bytes = text.utf8CString
        size = bytes.count
        pointer = .allocate(capacity: size)
        bytes.withUnsafeBufferPointer { pointer.initialize(from: $0.baseAddress!, count: size) }
    }

    deinit {
        explicit_bzero(pointer, size)
        pointer.deallocate()
    }
}

// libmicrohttpd's callbacks: all run on the daemon's thread.

private let accessed: MHD_AccessHandlerCallback = { @Sendable context, connection, url, method, _, upload, uploadSize, state in
    Session.from(context).access(connection!, url: url!, method: method!, upload: upload, uploadSize: uploadSize!, state: state!)
}

private let connectionChanged: MHD_NotifyConnectionCallback = { @Sendable context, connection, _, code in
    let fd = MHD_connection_socket(connection)
    switch code {
    case .CONNECTION_NOTIFY_STARTED: Session.from(context).opened(fd)
    case .CONNECTION_NOTIFY_CLOSED: Session.from(context).closed(fd)
    }
}

private let requestCompleted: MHD_RequestCompletedCallback = { @Sendable context, connection, state, _ in
    if let state, let pointer = state.pointee {
        Unmanaged<PartialRequest>.fromOpaque(pointer).release()
        state.pointee = nil
    }
    Session.from(context).completed(MHD_connection_socket(connection))
}
