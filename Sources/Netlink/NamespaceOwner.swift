/// Whose a network namespace is, as far as its name or one of its processes tells. A hint for people, not an identity.
public enum NamespaceOwner: Sendable, Hashable {
    /// The namespace of the machine itself.
    case host
    case container(ContainerRuntime, id: String)
    /// `"nginx.service"`: a unit of its own namespace (`PrivateNetwork=`), or one whose process made it.
    case systemdUnit(String)
    /// Its file under /run/netns, where no process says more.
    case name(String)
    case unknown
}

/// What made a container, told by how it names the container's cgroup.
public enum ContainerRuntime: String, Sendable, Hashable {
    case docker
    /// containerd by way of Kubernetes' CRI, or nerdctl.
    case containerd
    case crio = "cri-o"
    case podman
    case lxc
    /// A Kubernetes pod on the cgroupfs driver, which does not name the runtime.
    case kubernetes
}

extension NamespaceOwner {
    /// From the text of /proc/PID/cgroup (cgroups(7)): a line `HIERARCHY:CONTROLLERS:PATH` for each v1 hierarchy and for v2.
    ///
    /// A container found in any line wins over a unit; the unit is taken from v2 or from v1's `name=systemd`. The innermost part of a path
    /// decides, as containers run in containers.
    public init(cgroups text: String) {
        var unit: String?
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let parts = fields[2].split(separator: "/")
            if let container = Self.container(parts) {
                self = container
                return
            }
            if fields[1].isEmpty || fields[1] == "name=systemd" { unit = unit ?? Self.unit(parts) }
        }
        self = unit.map { .systemdUnit($0) } ?? .unknown
    }

    private static func container(_ parts: [Substring]) -> NamespaceOwner? {
        for (depth, part) in parts.enumerated().reversed() {
            let above = depth > 0 ? parts[depth - 1] : ""
            // systemd's cgroup driver: RUNTIME-ID.scope; without systemd running: SLICE:RUNTIME:ID.
            let scope = part.dropping(suffix: ".scope") ?? part
            for (prefix, runtime) in prefixes {
                if let id = scope.dropping(prefix: prefix), isContainerID(id) { return .container(runtime, id: String(id)) }
            }
            let fields = part.split(separator: ":")
            if fields.count == 3, isContainerID(fields[2]), let runtime = prefixes.first(where: { $0.prefix == "\(fields[1])-" })?.runtime {
                return .container(runtime, id: String(fields[2]))
            }
            // The cgroupfs driver: /docker/ID, /kubepods/burstable/podUID/ID, /libpod_parent/libpod-ID (above), /NAMESPACE/ID.
            if isContainerID(part) {
                if above == "docker" { return .container(.docker, id: String(part)) }
                if above.hasPrefix("pod") { return .container(.kubernetes, id: String(part)) }
                if above == "default" || above == "k8s.io" || above == "nerdctl" { return .container(.containerd, id: String(part)) }
            }
            if let name = part.dropping(prefix: "lxc.payload."), !name.isEmpty { return .container(.lxc, id: String(name)) }
            if above == "lxc" { return .container(.lxc, id: String(part)) }
        }
        return nil
    }

    private static let prefixes: [(prefix: String, runtime: ContainerRuntime)] = [
        ("docker-", .docker), ("cri-containerd-", .containerd), ("nerdctl-", .containerd), ("crio-", .crio), ("libpod-", .podman),
        ("libpod-payload-", .podman),
    ]

    /// OCI runtimes name containers by 64 hexadecimal digits; that is also what keeps `docker-proxy.scope` or a conmon scope out.
    private static func isContainerID(_ text: Substring) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func unit(_ parts: [Substring]) -> String? {
        parts.last { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }.map(String.init)
    }
}

extension Substring {
    fileprivate func dropping(prefix: String) -> Substring? { hasPrefix(prefix) ? dropFirst(prefix.count) : nil }
    fileprivate func dropping(suffix: String) -> Substring? { hasSuffix(suffix) ? dropLast(suffix.count) : nil }
}

extension NamespaceOwner: CustomStringConvertible {
    /// `"docker 0123456789ab"`, `"nginx.service"`, `"netns blue"`, `"host"`, `"unknown"`.
    public var description: String {
        switch self {
        case .host: "host"
        case .container(let runtime, let id): "\(runtime.rawValue) \(id.count == 64 ? String(id.prefix(12)) : id)"
        case .systemdUnit(let unit): unit
        case .name(let name): "netns \(name)"
        case .unknown: "unknown"
        }
    }
}
