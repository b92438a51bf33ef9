import NetworkTypes

/// How the agent behaves: /etc/nilo/agent.yaml as a value. A new one holds the defaults, which suit a host with one uplink.
///
/// Read by ``parse(_:file:)``, written by ``render()``; the two are inverse.
public struct AgentConfiguration: Sendable, Equatable {
    public enum AttachMode: String, Sendable, CaseIterable {
        /// tcx where the kernel has it (6.6), clsact otherwise.
        case auto, tcx, clsact
    }

    /// Where our programs stand among others on the hook.
    public enum AttachOrder: String, Sendable, CaseIterable {
        /// First on ingress and last on egress: nearest to the wire.
        case outer
        case first, last
    }

    public struct Attach: Sendable, Equatable {
        public var mode = AttachMode.auto
        public var order = AttachOrder.outer
    }

    /// Sizes of the kernel side; changed only by a restart of the kernel side.
    public struct Datapath: Sendable, Equatable {
        public static let flowBounds = 1024...16_777_216
        public static let logRecordBounds = 256...4_194_304
        public static let interfaceBounds = 16...65536
        public static let maximumVXLANPorts = 2
        /// Flow slots over all CPUs.
        public var flows = 262_144
        /// Records of evicted flows that each CPU can hold until they are collected.
        public var logRecords = 16384
        /// Interfaces that can be counted at one time.
        public var interfaces = 1024
        /// UDP destination ports taken for VXLAN (RFC 7348); empty: no VXLAN is parsed.
        public var vxlanPorts: [UInt16] = [4789]
        /// Retransmissions, reordering and handshake RTT.
        public var tcpAnalysis = true
    }

    /// The agent's own flow table.
    public struct Flows: Sendable, Equatable {
        public static let limitBounds = 1024...100_000_000
        public static let idleTimeoutBounds = Duration.seconds(1)...Duration.seconds(86400)
        public static let activeTimeoutBounds = Duration.seconds(1)...Duration.seconds(86400)
        public static let intervalBounds = Duration.milliseconds(100)...Duration.seconds(60)
        public var limit = 1_000_000
        /// A flow without a packet for this long is over.
        public var idleTimeout = Duration.seconds(60)
        /// A flow that goes on is reported anew after this long.
        public var activeTimeout = Duration.seconds(300)
        /// How often the kernel side is read.
        public var interval = Duration.seconds(1)
    }

    public struct Control: Sendable, Equatable {
        public var socket = "/run/nilo/control.sock"
        public var readSocket = "/run/nilo/read.sock"
        /// Owns `socket`.
        public var group = "nilo"
        /// Owns `readSocket`.
        public var readGroup = "nilo-read"
    }

    public struct Export: Sendable, Equatable {
        public enum TransportProtocol: String, Sendable, CaseIterable { case udp, tcp }
        public static let templateRefreshBounds = Duration.seconds(1)...Duration.seconds(86400)
        /// An IPFIX collector (RFC 7011).
        public var collector: HostPort
        public var transport = TransportProtocol.udp
        /// Flows seen on these interfaces are exported; empty: on all. Naming one observation point keeps a packet from being sent twice.
        public var observationPointInterfaces: [Glob] = []
        /// How often templates are sent again over UDP.
        public var templateRefresh = Duration.seconds(60)

        public init(collector: HostPort) { self.collector = collector }
    }

    /// An sFlow collector (sFlow version 5).
    public struct SFlow: Sendable, Equatable {
        public static let headerBounds = 0...512
        public static let counterIntervalBounds = Duration.seconds(1)...Duration.seconds(86400)
        public static let standardPort: UInt16 = 6343
        public var collector: HostPort
        /// The address that the collector knows this host by; nil: the one that datagrams to it leave from.
        public var agent: IPAddress?
        /// Bytes of a sampled frame that are told at most.
        public var headerBytes = 128
        /// How often the counters of each interface are told.
        public var counterInterval = Duration.seconds(20)
        /// Only these interfaces; empty: all that are counted.
        public var interfaces: [Glob] = []

        public init(collector: HostPort) { self.collector = collector }
    }

    /// Telling applications by the first packets of flows.
    public struct Applications: Sendable, Equatable {
        public static let snapBounds = 128...2048
        public static let sampleBounds = 100...1_000_000
        public static let cpuBounds = 1...100
        public var isOn = true
        /// Most bytes of a frame that are looked at.
        public var snap = 2048
        /// What is beyond is passed over and counted.
        public var samplesPerSecond = 10_000
        /// Percent of one CPU for the process that looks at them; likewise.
        public var cpuPercent = 5
    }

    public enum LogFormat: String, Sendable, CaseIterable { case text, json }
    public enum LogLevel: String, Sendable, CaseIterable { case debug, info, warn, error }

    public struct Log: Sendable, Equatable {
        public var format = LogFormat.text
        public var level = LogLevel.info
    }

    public enum BPFFileSystem: Sendable, Equatable {
        /// Where one is mounted; else the agent mounts its own.
        case automatic
        case path(String)
    }

    public var interfaces: [InterfaceSelector] = [.defaultRoute]
    public var exclude: [Glob] = []
    public var namespaces: [NamespaceSelector] = [.host]
    public var attach = Attach()
    public var datapath = Datapath()
    public var flows = Flows()
    public var control = Control()
    /// nil: no metrics are served.
    public var metricsListen: HostPort? = HostPort(host: "127.0.0.1", port: 9411)
    public var export: [Export] = []
    public var sflow: [SFlow] = []
    public var applications = Applications()
    public var log = Log()
    public var bpffs = BPFFileSystem.automatic
    public var topology = Topology()
    public var history = History()
    public var forecast = Forecast()
    public var anomalies = Anomalies()
    public var page = Page()
    public var planning = Planning()
    /// The folder of policy files.
    public var policy = "/etc/nilo/policy.d"

    public init() {}

    /// Suspicions are part of what is unusual.
    public var looksForSuspicions: Bool { anomalies.isOn && anomalies.suspicions.isOn }
}
