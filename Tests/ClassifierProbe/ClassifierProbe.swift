// A classifier's process for ApplicationsTests, and others that behave badly.
import Applications
import Glibc
import Privileges

@main struct ClassifierProbe {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let mode = arguments.first, let settings = ClassifierSettings(arguments: Array(arguments.dropFirst())) else { exit(2) }
        do {
            switch mode {
            case "classify", "classify-without-capabilities":
                // As an agent that has given up what it needs to change the user starts it.
                if mode != "classify" { try ProcessPrivileges.drop(keeping: []) }
                try Confinement.enter(closingFrom: 4)
                let worker = try ClassifierWorker(socket: 3, settings)
                try SystemCallFilter.allowComputingOnly()
                try worker.run()
            case "garbage":
                let garbage = (0..<400).map { UInt8(truncatingIfNeeded: $0 &* 37) }
                _ = write(3, garbage, garbage.count)
                while true { pause() }
            case "silent": while true { pause() }
            case "end": exit(7)
            case "hang": try hang(settings)
            default: exit(2)
            }
        } catch {
            exit(1)
        }
    }

    /// Says that it is up, then reads no more.
    private static func hang(_ settings: ClassifierSettings) throws {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0 else { exit(9) }
        shutdown(ends[1], Int32(SHUT_WR))
        // A worker whose other side is closed says one thing and ends; that is passed on.
        try ClassifierWorker(socket: ends[0], settings).run()
        var message = [UInt8](repeating: 0, count: 65536)
        let count = read(ends[1], &message, message.count)
        _ = write(3, message, max(0, count))
        while true { pause() }
    }
}
