// Runs what changes a process for good, in a process of its own: PrivilegesTests starts it and reads what it prints.
import Glibc
import Privileges

@main struct PrivilegesProbe {
    static func main() {
        do {
            switch CommandLine.arguments.dropFirst().first {
            case "drop": try report(ProcessPrivileges.drop(keeping: [.bpf, .netAdmin, .perfmon]))
            case "drop-again":
                try ProcessPrivileges.drop(keeping: [.bpf, .netAdmin, .perfmon, .sysAdmin])
                try report(ProcessPrivileges.drop(keeping: [.bpf, .netAdmin, .perfmon]))
            case "drop-with-thread":
                var thread = pthread_t()
                guard pthread_create(&thread, nil, { @Sendable _ in while true { pause() } }, nil) == 0 else { exit(9) }
                try report(ProcessPrivileges.drop(keeping: [.bpf]))
            case "exec-after-drop":
                try ProcessPrivileges.drop(keeping: [.netAdmin])
                var argv: [UnsafeMutablePointer<CChar>?] = [strdup("cat"), strdup("/proc/self/status"), nil]
                execv("/bin/cat", &argv)
                exit(9)
            case "notify":
                try ServiceNotification.ready.send()
                try ServiceNotification.status("12 interfaces\nREADY=0").send()
                try ServiceNotification.watchdog.send()
                try print("told=\(ServiceNotification.stopping.send()) watchdog=\(ServiceNotification.watchdogInterval ?? .zero)")
            default: exit(2)
            }
        } catch {
            print("error: \(error)")
            exit(1)
        }
    }

    static func report(_ state: ProcessPrivileges.ThreadState) {
        func hex(_ mask: UInt64) -> String { String(mask, radix: 16) }
        print(
            "permitted=\(hex(state.permitted)) effective=\(hex(state.effective)) inheritable=\(hex(state.inheritable))",
            "bounding=\(hex(state.bounding)) ambient=\(hex(state.ambient)) nnp=\(state.noNewPrivileges)")
    }
}
