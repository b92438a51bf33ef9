/// Why the store did not do what it was asked: the operation, what kind of trouble, and the library's own words.
public struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        /// Another process holds the lock for longer than the store waits.
        case busy
        /// No room: the disk's, a quota's, or the file's own bound.
        case full
        /// The medium failed to read or to write.
        case inputOutput
        /// No permission, or the medium is mounted read-only.
        case notPermitted
        /// There is nothing at the path, or its folder is missing.
        case missing
        /// The file is this store's and damaged.
        case corrupt
        /// The file is something else; it was not touched.
        case foreign
        /// A later release wrote it; it was not touched.
        case newerSchema(found: Int, known: Int)
        /// The server cannot be reached, or the connection to it broke.
        case unreachable
        /// The caller broke the store's rules: a key too long, a number out of order.
        case invalid
        /// Anything else that the library reports.
        case failed
    }

    /// What was being done, in a few words with the file's path: `append to /var/lib/nilo/history.db`.
    public var operation: String
    public var reason: Reason
    /// SQLite's extended result code, an errno, or 0.
    public var code: Int32
    public var detail: String

    public init(_ operation: String, _ reason: Reason, code: Int32 = 0, _ detail: String) {
        self.operation = operation
        self.reason = reason
        self.code = code
        self.detail = detail
    }

    public var description: String { "\(operation): \(detail)" }

    /// Whether it may pass by itself: the writer pauses its history, goes on measuring, and tries again later with an epoch that
    /// `resumes`.
    public var mayPass: Bool {
        switch reason {
        case .busy, .full, .inputOutput, .notPermitted, .missing, .unreachable: true
        case .corrupt, .foreign, .newerSchema, .invalid, .failed: false
        }
    }

    public var hint: String? {
        switch reason {
        case .busy: "another process writes to it; is a second agent running?"
        case .full: "make room, or lower the bound of the history; it goes on by itself"
        case .inputOutput: "look at the kernel's messages: dmesg --level err"
        case .notPermitted: "see that the agent may write to the folder, and that it is not mounted read-only"
        case .missing: "the folder has to exist; the agent makes the file"
        case .corrupt: "move the file away, the agent starts a new one; `sqlite3 FILE .recover` gets back what can be read"
        case .foreign: "choose another path, or move that file away"
        case .newerSchema: "use the release that wrote it or a later one"
        case .unreachable: "is the server up, and may this user connect to it?"
        case .invalid, .failed: nil
        }
    }
}
