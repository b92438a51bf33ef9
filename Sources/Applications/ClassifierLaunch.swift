import Glibc

/// Starting a classifier's process.
struct ClassifierLaunch {
    var path: String
    /// What the process calls itself.
    var name: String
    var arguments: [String]

    /// - Returns: the process and this side's end of its socket.
    func start() throws(ApplicationsError) -> (process: pid_t, socket: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .system(operation: "make a socket pair", code: errno) }
        defer { close(ends[1]) }
        do throws(ApplicationsError) { return (try spawn(socket: ends[1]), ends[0]) } catch {
            close(ends[0])
            throw error
        }
    }

    private func spawn(socket: Int32) throws(ApplicationsError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The socket first: it may itself be 0 or 1 in a process that was started without them.
        posix_spawn_file_actions_adddup2(&actions, socket, ClassifierWorker.socketDescriptor)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // An agent blocks signals that it reads from a descriptor, and ignores others; a group of its own keeps the terminal's away.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var words: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) } + [nil]
        // A crash is told by the exit status; a debugger's report would need another process.
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("SWIFT_BACKTRACE=enable=no")]
        if let libraries = getenv("LD_LIBRARY_PATH") { environment.append(strdup("LD_LIBRARY_PATH=" + String(cString: libraries))) }
        environment.append(nil)
        defer { for word in words + environment { free(word) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, &attributes, &words, &environment)
        guard code == 0 else { throw .system(operation: "start \(path)", code: code) }
        return process
    }
}
