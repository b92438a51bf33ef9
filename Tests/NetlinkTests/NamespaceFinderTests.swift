import CLinux
import Glibc
import TestSupport
import Testing

@testable import Netlink

/// Steps the finder every 50 ms, as an agent does, until `found` holds of a step; false when 1 s (stretched) has passed.
private func within1s(_ finder: NamespaceFinder, _ found: (NamespaceChanges) -> Bool) throws -> Bool {
    let start = ContinuousClock.now
    repeat {
        if found(try finder.scan(processes: 2000)) { return true }
        usleep(50_000)
    } while ContinuousClock.now - start < .seconds(1).stretched
    return false
}

/// A step that ends a walk.
private func wholePass(_ finder: NamespaceFinder) throws { while try !finder.scan(processes: 2000).isPassComplete {} }

/// A thread in a mount namespace of its own with an empty /run. It never resumes anyone: what it would start would be born there.
private func withOwnRun(_ body: @escaping @Sendable () throws -> Void) async throws {
    final class Work: @unchecked Sendable {
        // Unchecked: written by the thread before it ends, read after it was joined.
        var outcome: Result<Void, any Error> = .success(())
        let body: @Sendable () throws -> Void
        init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
    }
    try await onOwnThread {
        let work = Work {
            try succeeded(lx_unshare_mount_private(), "unshare(CLONE_NEWNS)")
            _ = try sh("mount -t tmpfs none /run")
            try body()
        }
        var thread = pthread_t()
        let entry: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
            let work = Unmanaged<Work>.fromOpaque(raw!).takeUnretainedValue()
            work.outcome = Result { try work.body() }
            return nil
        }
        try succeeded(-pthread_create(&thread, nil, entry, Unmanaged.passUnretained(work).toOpaque()), "pthread_create")
        pthread_join(thread, nil)
        try work.outcome.get()
    }
}

@Suite struct NamespaceFinderTests {
    @Test func namesComeAndGoWithin1s() async throws {
        try await withOwnRun {
            // /run/netns does not exist yet.
            let finder = try NamespaceFinder()
            try wholePass(finder)
            let host = try #require(finder.sightings.first { $0.owner == .host })
            #expect(host.pid != nil)
            for name in ["blue", "green"] {
                _ = try sh("ip netns add \(name)")
                var sighting: NamespaceSighting?
                #expect(
                    try within1s(finder) {
                        sighting = $0.appeared.first { $0.name == name } ?? sighting; return sighting != nil
                    })
                let seen = try #require(sighting)
                #expect(seen.owner == .name(name) && seen.pid == nil)
                let (opened, named) = (try seen.open(), try Netlink.NetworkNamespace.named(name))
                #expect(opened.id == seen.id && opened.cookie == named.cookie && named.name == name)
                #expect(try NetlinkSocket(in: opened).links().map(\.name).contains("lo"))
            }
            _ = try sh("ip netns del blue")
            #expect(try within1s(finder) { $0.vanished.contains { $0.owner != .host && $0.name == nil } })
            #expect(finder.sightings.compactMap(\.name) == ["green"])
            // The directory itself goes and comes again.
            _ = try sh("ip netns del green; umount -l /run/netns 2>/dev/null || true; rmdir /run/netns")
            #expect(try within1s(finder) { !$0.vanished.isEmpty })
            _ = try sh("ip netns add red")
            #expect(try within1s(finder) { $0.appeared.contains { $0.name == "red" } })
        }
    }

    @Test func theDescriptorTellsOfANewName() async throws {
        try await withOwnRun {
            _ = try sh("mkdir /run/netns")
            let finder = try NamespaceFinder()
            try wholePass(finder)
            var watched = pollfd(fd: finder.descriptor, events: Int16(POLLIN), revents: 0)
            #expect(poll(&watched, 1, 0) == 0)
            _ = try sh("touch /run/netns/stale")
            #expect(poll(&watched, 1, Int32(1000 * patience)) == 1)
            #expect(try finder.scan(processes: 1).appeared.isEmpty)
            #expect(poll(&watched, 1, 0) == 0)
            #expect(throws: NetlinkError.self) { try Netlink.NetworkNamespace.named("stale") }
            // A name mounted over a file that was already there: no event tells of it.
            _ = try sh("unshare --net=/run/netns/stale true")
            #expect(try within1s(finder) { $0.appeared.contains { $0.name == "stale" } })
        }
    }

    /// The kernel hands out a free number at once; names made and deleted in turn share it.
    @Test func aReusedNumberIsAnotherNamespace() async throws {
        try await withOwnRun {
            let finder = try NamespaceFinder()
            _ = try sh("ip netns add old")
            let old = try #require(try finder.scan(processes: 1).appeared.first { $0.name == "old" })
            var reused: NamespaceSighting?
            for _ in 0..<20 where reused == nil {
                // Both happen between two steps: the finder sees one name in place of another.
                _ = try sh("ip netns del \(finder.sightings.compactMap(\.name).first ?? "old"); sleep 0.05; ip netns add new$(date +%N)")
                let before = Set(finder.sightings.map(\.id))
                let changes = try finder.scan(processes: 1)
                let new = try #require(changes.appeared.first { $0.name?.hasPrefix("new") == true })
                #expect(new.cookie != old.cookie && new.cookie != 0)
                if before.contains(new.id) {
                    #expect(changes.vanished.contains { $0.id == new.id && $0.cookie != new.cookie })
                    reused = new
                }
            }
            if reused == nil { Skips.note("aReusedNumberIsAnotherNamespace", "no number was reused in 20 tries") }
        }
    }

    @Test func processesInNamelessNamespacesAreFoundWithin1s() async throws {
        let namespace = try await TestNamespace()
        let process = try await BackgroundProcess.start(["sleep", "60"], in: namespace)
        let path = namespace.path
        try await onOwnThread {
            let id = try Netlink.NetworkNamespace.at(path: path).id
            let finder = try NamespaceFinder()
            var sighting: NamespaceSighting?
            #expect(
                try within1s(finder) {
                    sighting = $0.appeared.first { $0.id == id } ?? sighting; return sighting != nil
                })
            let seen = try #require(sighting)
            #expect(seen.pid == process.pid && seen.name == nil)
            #expect(try seen.open().id == id)
            try process.stop()
            #expect(try within1s(finder) { $0.vanished.contains { $0.id == id } })
            #expect(throws: NetlinkError("open network namespace net:[\(id.inode)]", code: ESTALE)) { try seen.open() }
        }
    }

    @Test func aStepIsBoundedAndTheNextGoesOn() async throws {
        var namespaces: [TestNamespace] = []
        var processes: [BackgroundProcess] = []
        for _ in 0..<5 {
            namespaces.append(try await TestNamespace())
            processes.append(try await BackgroundProcess.start(["sleep", "60"], in: namespaces[namespaces.count - 1]))
        }
        let paths = namespaces.map(\.path)
        try await onOwnThread {
            let ids = try paths.map { try Netlink.NetworkNamespace.at(path: $0).id }
            let finder = try NamespaceFinder(directory: "/nonexistent/netns")
            #expect(try finder.scan(processes: 1).appeared.count <= 1)
            var steps = 1
            var isComplete = false
            while !isComplete {
                isComplete = try finder.scan(processes: 2).isPassComplete
                steps += 1
                // One process in the first step, two in each later one, hold so many namespaces at most.
                #expect(finder.sightings.count <= 2 * steps - 1)
            }
            #expect(steps > 3)
            #expect(Set(finder.sightings.map(\.id)).isSuperset(of: ids))
            #expect(finder.sightings.contains { $0.owner == .host })
        }
        for process in processes { try process.stop() }
    }
}

@Suite struct NamespaceOwnerTests {
    static let id = String(repeating: "0123456789abcdef", count: 4)

    @Test(arguments: [
        ("0::/system.slice/docker-\(id).scope\n", NamespaceOwner.container(.docker, id: id)),
        ("12:cpu,cpuacct:/docker/\(id)\n1:name=systemd:/docker/\(id)\n0::/\n", .container(.docker, id: id)),
        (
            "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod12.slice/cri-containerd-\(id).scope",
            .container(.containerd, id: id)
        ),
        ("0::/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:\(id)", .container(.containerd, id: id)),
        ("0::/kubepods.slice/kubepods-pod12.slice/crio-\(id).scope/container", .container(.crio, id: id)),
        ("0::/kubepods/burstable/pod7a1b/\(id)", .container(.kubernetes, id: id)),
        ("0::/machine.slice/libpod-\(id).scope/container", .container(.podman, id: id)),
        ("0::/default/\(id)", .container(.containerd, id: id)),
        ("0::/lxc.payload.web/system.slice/nginx.service", .container(.lxc, id: "web")),
        ("0::/machine.slice/libpod-conmon-\(id).scope", .systemdUnit("libpod-conmon-\(id).scope")),
        ("0::/system.slice/nginx.service", .systemdUnit("nginx.service")),
        ("4:memory:/x\n1:name=systemd:/user.slice/user-0.slice/session-3.scope\n", .systemdUnit("session-3.scope")),
        ("0::/system.slice/docker-proxy.scope", .systemdUnit("docker-proxy.scope")),
        ("0::/\n", .unknown), ("", .unknown), ("nonsense", .unknown), ("::", .unknown),
    ])
    func fromCgroups(text: String, owner: NamespaceOwner) {
        #expect(NamespaceOwner(cgroups: text) == owner)
    }

    @Test func descriptions() {
        #expect(NamespaceOwner.container(.docker, id: Self.id).description == "docker 0123456789ab")
        #expect(NamespaceOwner.name("blue").description == "netns blue" && NamespaceOwner.unknown.description == "unknown")
    }
}
