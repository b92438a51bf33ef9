import Configuration
import Datapath
import Glibc
import NetworkTypes
import Privileges
import Reports

/// What the kernel can do, and what of it will be used.
extension Doctor {
    func privileges() -> Check {
        if geteuid() == 0 { return Check("privileges", .ok, "root") }
        return Check(
            "privileges", .fail, "user \(geteuid()): BPF programs cannot be loaded; checks that need it fail below", fix: "sudo nilo doctor"
        )
    }

    func kernel() -> Check {
        var name = utsname()
        uname(&name)
        let machine = withUnsafeBytes(of: name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let release = SystemFiles.kernelRelease
        let parts = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        let found = "Linux \(release), \(machine)"
        guard parts.count == 2 else { return Check("kernel", .warn, found, use: "its version is not understood") }
        let version = (parts[0], parts[1])
        // SO_NETNS_COOKIE came with 5.14, the last of what is needed.
        if version < (5, 14) { return Check("kernel", .fail, found, fix: "use Linux 6.1 or newer") }
        if version < (6, 1) { return Check("kernel", .warn, found + ": older than any that is tested", fix: "use Linux 6.1 or newer") }
        return Check("kernel", .ok, found)
    }

    /// Told by the loaded programs themselves: the sysctl is to be seen in the first network namespace alone.
    func jit(_ loading: Result<DatapathProbe.Loading, BPFError>) -> Check {
        guard case .success(let loading) = loading else { return Check("BPF JIT", .warn, "not known without the programs") }
        return loading.isCompiled
            ? Check("BPF JIT", .ok, "on")
            : Check("BPF JIT", .warn, "off: programs are interpreted, many times slower", fix: "sysctl -w net.core.bpf_jit_enable=1")
    }

    func programs(_ loading: Result<DatapathProbe.Loading, BPFError>) -> Check {
        switch loading {
        case .success(let loading):
            let (seconds, attoseconds) = loading.duration.components
            return Check("programs", .ok, "load, in \(seconds * 1000 + attoseconds / 1_000_000_000_000_000) ms")
        case .failure(let error):
            let isDenied = error.code == EPERM || error.code == EACCES
            return Check(
                "programs", .fail, "\(error)",
                fix: geteuid() != 0 && isDenied ? "sudo nilo doctor" : "if the kernel is 6.1 or newer, report the verifier's words")
        }
    }

    func hook(_ loading: Result<DatapathProbe.Loading, BPFError>) -> Check {
        guard case .success(let loading) = loading else {
            return Check("hook", .fail, "cannot be tried without the programs", fix: "mend that first")
        }
        let clsact = loading.clsactProblem == nil
        let found = "tcx \(loading.supportsTCX ? "yes" : "no (Linux 6.6)"), clsact \(clsact ? "yes" : "no")"
        switch configuration.attach.mode {
        case .auto where loading.supportsTCX: return Check("hook", .ok, found, use: "tcx: links, kept by pins and exchanged in one step")
        case .auto where clsact: return Check("hook", .ok, found, use: "clsact: there is no tcx")
        case .tcx where loading.supportsTCX: return Check("hook", .ok, found, use: "tcx, as configured")
        case .clsact where clsact: return Check("hook", .ok, found, use: "clsact, as configured")
        case .tcx: return Check("hook", .fail, found, fix: "set attach.mode to auto, or use Linux 6.6")
        case .auto, .clsact:
            return Check(
                "hook", .fail, "\(found): \(loading.clsactProblem ?? "")", fix: "modprobe sch_ingress cls_bpf (CONFIG_NET_SCH_INGRESS)")
        }
    }

    func btf() -> Check {
        access("/sys/kernel/btf/vmlinux", R_OK) == 0
            ? Check("BTF", .ok, "the kernel describes its types")
            : Check("BTF", .warn, "none: only drop reasons need it", fix: "use a kernel with CONFIG_DEBUG_INFO_BTF")
    }

    func dropReasons() -> Check {
        do {
            _ = try DropCounter()
            _ = try DropReasons()
            return Check("drop reasons", .ok, "can be counted by name (kfree_skb)")
        } catch {
            return Check("drop reasons", .warn, "not to be had: \(error)", use: "drops are counted without their reason")
        }
    }

    func bpffs() -> Check {
        let places = [BPFFileSystem.own, BPFFileSystem.system].filter(PinDirectory.isBPFFS)
        let found = places.isEmpty ? "none is mounted" : "mounted at \(places.joined(separator: " and "))"
        if case .path(let path) = configuration.bpffs {
            return PinDirectory.isBPFFS(path)
                ? Check("bpffs", .ok, found, use: "\(path), as configured")
                : Check("bpffs", .fail, "\(path) is not a bpffs", fix: "mount -t bpf bpf \(path)")
        }
        if let place = places.first { return Check("bpffs", .ok, found, use: place) }
        let isKnown = SystemFiles.read("/proc/filesystems")?.split(separator: "\n").contains { $0.hasSuffix("\tbpf") } ?? false
        return isKnown
            ? Check("bpffs", .ok, found, use: "our own, mounted at \(BPFFileSystem.own) by the agent")
            : Check("bpffs", .fail, "the kernel has none", fix: "use a kernel with CONFIG_BPF_SYSCALL")
    }

    func pins() -> Check {
        var roots = ["\(BPFFileSystem.own)/nilo", "\(BPFFileSystem.system)/nilo"]
        if case .path(let path) = configuration.bpffs { roots = ["\(path)/nilo"] }
        for root in roots {
            let pins = Remains.pins(under: root)
            if pins.files.isEmpty { continue }
            if let other = pins.versions.first(where: { $0 != Remains.version }) {
                return Check(
                    "pins", .fail, "\(root) holds counters of record version \(other), ours is \(Remains.version)", fix: "nilo cleanup")
            }
            do {
                let alive = try Remains.interfaces(under: root).filter(\.isAlive).map(\.name)
                return Check(
                    "pins", .ok, "\(root): \(alive.isEmpty ? "no interface" : alive.joined(separator: ", "))",
                    use: "counted on by the next agent")
            } catch { return Check("pins", .fail, "\(error)", fix: "nilo cleanup") }
        }
        return Check("pins", .ok, "none: counters start from zero")
    }

    func statistics() -> Check {
        SystemFiles.read("/proc/sys/kernel/bpf_stats_enabled")?.hasPrefix("1") == true
            ? Check("statistics", .ok, "on: the cost per packet is known, and itself costs some")
            : Check("statistics", .ok, "off: the cost per packet is not known (sysctl -w kernel.bpf_stats_enabled=1)")
    }

    func memory() -> Check {
        let sizes = configuration.datapath
        let geometry = TableGeometry(flows: sizes.flows, logRecordsPerCPU: sizes.logRecords, ledgers: sizes.interfaces)
        let needed = geometry.bytes(cpus: DatapathProbe.possibleCPUs)
        let line = SystemFiles.read("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        guard let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            return Check("memory", .warn, "\(ByteCount(UInt64(needed))) needed; what is available cannot be read")
        }
        let found = "\(ByteCount(UInt64(needed))) for maps (\(sizes.flows) flows), \(ByteCount(UInt64(kilobytes) * 1024)) available"
        let fix = "lower datapath.flows or datapath.log-records"
        if needed > kilobytes * 1024 { return Check("memory", .fail, found, fix: fix) }
        return Check("memory", needed > kilobytes * 1024 / 2 ? .warn : .ok, found, fix: needed > kilobytes * 1024 / 2 ? fix : nil)
    }
}
