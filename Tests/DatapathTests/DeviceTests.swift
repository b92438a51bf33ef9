import CLinux
import Datapath
import Flows
import Glibc
import NetworkTypes
import TestSupport
import Testing

/// Interfaces of other kinds, and interfaces that get in each other's way.
@Suite(.requires(.root, .clsact)) struct DeviceTests {
    static let tun = Requirement("TUN devices") { try await NetworkNamespace().sh("ip tuntap add x mode tun") }

    /// Frames of a TUN device start at the network header: there is no Ethernet header to read or count.
    @Test(.requires(DeviceTests.tun), arguments: AttachMode.both) func devicesWithoutEthernet(mode: AttachMode) async throws {
        let host = try await NetworkNamespace(ipv6: true)
        let device = try await host.run { try TUNDevice("tun9") }
        try await host.sh(
            """
            ip link set tun9 up
            ip addr add 10.9.0.1/24 dev tun9
            ip addr add fd09::1/64 dev tun9 nodad
            """)
        try device.drain()
        let probe = try Probe(mode)
        let id = try await probe.attach("tun9", in: host, isLayer3: true)
        let before = try await host.counters(of: "tun9")
        for address in ["10.9.0.2", "fd09::2"] { try await host.sendUDP(10, size: 100, to: address, port: 53) }
        let packets = [
            Frame(IPv4Header(from: "10.9.0.2", to: "10.9.0.1"), TCPHeader(.rst), RawBytes(count: 5)).bytes,
            Frame(IPv6Header(from: "fd09::2", to: "fd09::1"), IPv6Extension.destination, TCPHeader(.rst)).bytes,
        ]
        for packet in packets { for _ in 0..<7 { try device.inject(packet) } }
        let received = try await probe.flows(id, .ingress)
        for (packet, type) in zip(packets, [EtherType.ipv4, .ipv6]) {
            let flow = received.filter { $0.key.outer.etherType == type }
            #expect(flow.map(\.totals) == [Totals(plain: 7, bytes: 7 * packet.count)])
            #expect(flow.first?.key.outer.protocol == .tcp && flow.first?.key.outer.destinationPort == 80)
        }
        let sent = try await probe.flows(id, .egress).filter { $0.key.outer.destinationPort == 53 }
        #expect(Set(sent.map(\.totals)) == [Totals(plain: 10, bytes: 1280), Totals(plain: 10, bytes: 1480)])
        try device.drain()
        let counted = try await host.counters(of: "tun9") - before
        for (direction, device) in [(Direction.ingress, counted.received), (.egress, counted.sent)] {
            let account = try await probe.account(id, direction)
            #expect(account.closes)
            #expect(account.books.seen.skbs == device.packets && account.books.seen.skbBytes == device.bytes, "\(account) \(device)")
        }
    }

    /// Their indices fall on one entry of the port table.
    @Test(arguments: AttachMode.both) func interfacesOfOneEntryAreToldApart(mode: AttachMode) async throws {
        let pair = try await Pair()
        try await pair.a.sh("ip link add other index 1026 type veth peer name peer netns \(pair.b.path); ip link set other up")
        try await pair.b.sh("ip link set peer up")
        try await pair.a.waitForCarrier()
        let probe = try Probe(mode)
        #expect(try await pair.a.index(of: "va") == 2)
        let va = try await probe.attach("va", in: pair.a)
        let other = try await probe.attach("other", in: pair.a)
        let frame = Frame(EthernetHeader(), ARPMessage())
        try await pair.a.send(frame, times: 3, on: "va")
        try await pair.a.send(frame, times: 4, on: "other")
        #expect(try await probe.books(va, .egress).seen.skbs == 3)
        #expect(try await probe.books(other, .egress).seen.skbs == 4)
        try await probe.detach(va, in: pair.a)
        try await pair.a.send(frame, times: 5, on: "other")
        #expect(try await probe.books(other, .egress).seen.skbs == 9)
        #expect(await probe.unknownBooks(.egress).seen.isZero)
    }

    /// The books of an interface that was closed are given to another when nothing refers to them any more, from zero.
    @Test(arguments: AttachMode.both) func booksAreUsedAgain(mode: AttachMode) async throws {
        let pair = try await Pair()
        // Books for two interfaces beside the unknown ones.
        let probe = try Probe(mode, geometry: TableGeometry(flows: 16, logRecordsPerCPU: 64, ledgers: 3, ghosts: 64))
        let frame = Frame(EthernetHeader(), ARPMessage())
        let closed = try await probe.attach("va", in: pair.a)
        try await pair.a.send(frame, times: 3, on: "va")
        try await probe.detach(closed, in: pair.a)
        let other = try await probe.attach("vb", in: pair.b)
        let again = try await probe.attach("va", in: pair.a)
        #expect(again != closed)
        try await pair.a.send(frame, times: 5, on: "va")
        for id in [again, other] {
            for direction in Direction.allCases {
                let account = try await probe.account(id, direction)
                #expect(account.closes && account.isTold, "\(id) \(direction) \(account)")
            }
        }
        #expect(try await probe.books(again, .egress).seen.skbs == 5)
        // The gone interface's flow is still in its slot. When it must leave, it is not put down to the new owner of its books.
        for cpu: Int32 in 0..<Int32(sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
            let flood = (1...300 as ClosedRange<UInt16>).map { Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: $0)).bytes }
            for start in stride(from: 0, to: 300, by: 50) {
                try await pair.b.send(Array(flood[start..<start + 50]), on: "vb", onCPU: cpu)
                try await probe.collect()
            }
        }
        for id in [again, other] {
            for direction in Direction.allCases {
                let account = try await probe.account(id, direction)
                #expect(account.closes && account.isTold, "\(id) \(direction) \(account)")
            }
        }
    }

    /// An interface that is deleted and another that takes its index, while nobody was looking.
    @Test(arguments: AttachMode.both) func anIndexThatIsUsedAgainIsAnotherInterface(mode: AttachMode) async throws {
        let files = try PrivateBPFFS()
        let host = try await NetworkNamespace()
        func makeDevice() async throws {
            try await host.sh("ip link add d0 index 77 type veth peer name d1; ip link set d0 up; ip link set d1 up")
        }
        try await makeDevice()
        let first = try Probe(mode, pins: files.pins)
        let id = try await first.attach("d0", in: host)
        let frame = Frame(EthernetHeader(), ARPMessage())
        try await host.send(frame, times: 6, on: "d0")
        await first.abandon()
        try await host.sh("ip link del d0")
        try await makeDevice()
        let second = try Probe(mode, pins: files.pins)
        let again = try await second.attach("d0", in: host)
        #expect(again != id)
        #expect(try await second.interfaceIsClosed(id) == true)
        try await host.send(frame, times: 8, on: "d0")
        #expect(try await second.books(id, .egress).seen.skbs == 6)
        #expect(try await second.books(again, .egress).seen.skbs == 8)
    }
}

extension NetworkNamespace {
    /// Sends frames from a thread that stays on one CPU: they are counted in that CPU's part of the table.
    fileprivate func send(_ frames: [[UInt8]], on interface: String, onCPU cpu: Int32) async throws {
        try await run {
            guard lx_pin_to_cpu(cpu) == 0 else { throw SystemError("sched_setaffinity") }
            let packets = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
            if packets < 0 { throw SystemError("socket(AF_PACKET)") }
            defer { close(packets) }
            var address = sockaddr_ll()
            address.sll_family = UInt16(AF_PACKET)
            address.sll_ifindex = Int32(try interfaceIndex(interface))
            for frame in frames {
                let sent = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(packets, frame, frame.count, 0, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
                    }
                }
                if sent != frame.count { throw SystemError("send on \(interface)") }
            }
        }
    }
}

/// The other end of a TUN device, which goes with this value.
private final class TUNDevice: Sendable {
    private let descriptor: Int32

    /// In the calling thread's namespace.
    init(_ name: String) throws {
        descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 { throw SystemError("open /dev/net/tun") }
        // struct ifreq: name, then IFF_TUN | IFF_NO_PI.
        var request = Array(name.utf8) + [UInt8](repeating: 0, count: 40 - name.utf8.count)
        request.replaceSubrange(16..<18, with: [0x01, 0x10])
        let setInterface: UInt = 0x4004_54ca  // TUNSETIFF
        if ioctl(descriptor, setInterface, &request) != 0 { throw SystemError("TUNSETIFF \(name)") }
    }

    deinit { close(descriptor) }

    /// Takes what was sent over the device: only then it counts as sent.
    func drain() throws {
        var packet = [UInt8](repeating: 0, count: 2048)
        while read(descriptor, &packet, packet.count) > 0 {}
        if errno != EAGAIN { throw SystemError("read from a TUN device") }
    }

    /// A packet that arrives on the device.
    func inject(_ packet: [UInt8]) throws {
        if write(descriptor, packet, packet.count) != packet.count { throw SystemError("write to a TUN device") }
    }
}
