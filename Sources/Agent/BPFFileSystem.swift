import CLinux
import Configuration
import Datapath
import Glibc

/// Where the agent's maps and links are pinned.
public enum BPFFileSystem {
    /// The usual mount point.
    public static let system = "/sys/fs/bpf"
    /// Our own, where there is no other.
    public static let own = "/run/nilo/bpf"

    /// The directory for our pins: in the system's bpffs, or in one that we mount in our own run directory.
    static func pins(_ choice: AgentConfiguration.BPFFileSystem) throws(AgentFailure) -> PinDirectory {
        switch choice {
        case .path(let path):
            guard PinDirectory.isBPFFS(path) else {
                throw AgentFailure("use \(path)", "it is not a bpffs", hint: "mount -t bpf bpf \(path)", kind: .unsupported)
            }
            return PinDirectory(root: "\(path)/nilo")
        case .automatic:
            if PinDirectory.isBPFFS(own) { return PinDirectory(root: "\(own)/nilo") }
            if PinDirectory.isBPFFS(system) { return PinDirectory(root: "\(system)/nilo") }
            // mount -t bpf bpf /run/nilo/bpf
            for directory in ["/run/nilo", own] where mkdir(directory, 0o755) != 0 && errno != EEXIST {
                throw AgentFailure("make \(directory)", String(cString: strerror(errno)))
            }
            guard lx_mount_bpffs(own) == 0 else {
                throw AgentFailure(
                    "mount a bpffs at \(own)", String(cString: strerror(errno)), hint: "mount -t bpf bpf \(system)",
                    kind: errno == EPERM ? .permission : .unsupported)
            }
            return PinDirectory(root: "\(own)/nilo")
        }
    }
}
