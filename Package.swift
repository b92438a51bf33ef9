// swift-tools-version: 6.3;(experimentalCGen)
import PackageDescription

// The layers, lowest first; `tools/layers` checks that a target depends only on lower ones (see CONTRIBUTING.md).

func library(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let kernelAndLibraries: [Target] = [  // 0
    .target(
        name: "CDatapath", path: "bpf", exclude: ["README.md", "lib"], sources: ["host"], publicHeadersPath: "abi", plugins: ["BPFCompile"]),
    .target(name: "CLinux"),
    .target(name: "CPage"),
    .target(name: "CBench", path: "tools/benchmarks/bpf", sources: ["host"], publicHeadersPath: "include", plugins: ["BPFCompile"]),
    library("CLibBPF", pkgConfig: "libbpf", apt: "libbpf-dev"),
    library("CNetlink", pkgConfig: "libnl-route-3.0", apt: "libnl-route-3-dev"),
    library("CNftables", pkgConfig: "libnftables", apt: "libnftables-dev"),
    library("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
    library("CMicrohttpd", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
    library("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    // Not by pkg-config: it passes macros that SwiftPM does not allow.
    .systemLibrary(name: "CCurses", providers: [.apt(["libncurses-dev"])]),
    library("CSystemd", pkgConfig: "libsystemd", apt: "libsystemd-dev"),
    library("CCapNG", pkgConfig: "libcap-ng", apt: "libcap-ng-dev"),
    library("CPostgres", pkgConfig: "libpq", apt: "libpq-dev"),
    library("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
    library("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
    library("CNDPI", pkgConfig: "libndpi", apt: "libndpi-dev"),
    library("CSeccomp", pkgConfig: "libseccomp", apt: "libseccomp-dev"),
]

let types: [Target] = [  // 1
    .target(name: "NetworkTypes")
]

let observations: [Target] = [  // 2
    .target(name: "Flows", dependencies: ["NetworkTypes"]),
    .target(name: "Sketches", dependencies: ["NetworkTypes"]),
]

let intent: [Target] = [  // 3
    .target(name: "Anomalies"),
    .target(name: "Dissection", dependencies: ["Flows", "NetworkTypes"]),
    .target(name: "Forecasting"),
    .target(name: "Policy", dependencies: ["Flows", "NetworkTypes"]),
    .target(name: "Profiles"),
    .target(name: "Sampling"),
    .target(name: "Suspicions", dependencies: ["Flows", "NetworkTypes", "Sketches"]),
    .target(name: "Topology", dependencies: ["Flows", "NetworkTypes"]),
]

let computation: [Target] = [  // 4
    .target(name: "Foresight", dependencies: ["Anomalies", "Forecasting", "Profiles"]),
    .target(name: "Planning", dependencies: ["Flows", "NetworkTypes", "Policy"]),
    .target(name: "PathComputation", dependencies: ["Flows", "NetworkTypes", "Topology"]),
]

let edges: [Target] = [  // 5
    .target(name: "API", dependencies: ["CCurl", "CLinux", "CMicrohttpd", "NetworkTypes"]),
    .target(name: "Applications", dependencies: ["CLinux", "CNDPI", "Dissection", "Flows", "NetworkTypes"]),
    .target(name: "Configuration", dependencies: ["CYAML", "Flows", "NetworkTypes", "Policy"]),
    .target(name: "Datapath", dependencies: ["CDatapath", "CLibBPF", "CLinux", "Flows", "NetworkTypes", "Policy", "Sketches"]),
    .target(name: "IPFIX", dependencies: ["Flows", "NetworkTypes"]),
    .target(name: "Logging"),
    .target(name: "Netlink", dependencies: ["CLinux", "CNetlink", "CNftables", "NetworkTypes", "PathComputation", "Policy", "Topology"]),
    .target(name: "PCAPNG"),
    .target(name: "Privileges", dependencies: ["CCapNG", "CLinux", "CSeccomp", "CSystemd"]),
    .target(name: "Reports", dependencies: ["Flows", "NetworkTypes", "PathComputation", "Profiles", "Topology"]),
    .target(name: "SFlow", dependencies: ["NetworkTypes"]),
    .target(name: "Storage", dependencies: ["CPostgres", "CSQLite", "CZstd", "NetworkTypes", "Topology"]),
    .target(name: "Terminal", dependencies: ["NetworkTypes"]),
]

let agent: [Target] = [  // 6
    .target(
        name: "Agent",
        dependencies: [
            "API", "Anomalies", "Applications", "CDatapath", "CLinux", "CPage", "Configuration", "Datapath", "Dissection", "Flows",
            "Forecasting", "Foresight", "IPFIX", "Logging", "Netlink", "NetworkTypes", "PCAPNG", "PathComputation", "Planning", "Policy",
            "Privileges", "Profiles", "Reports", "SFlow", "Sampling", "Sketches", "Storage", "Suspicions", "Topology",
        ])
]

let commands: [Target] = [  // 7
    .target(
        name: "Commands",
        dependencies: [
            "API", "Agent", "Anomalies", "CCurses", "Configuration", "Flows", "Forecasting", "Netlink", "NetworkTypes", "Policy", "Reports",
            "Terminal",
        ]),
    .executableTarget(
        name: "nilo-bench",
        dependencies: [
            "API", "Applications", "CBench", "CDatapath", "CLibBPF", "CLinux", "CPostgres", "CSQLite", "Datapath", "Dissection", "Flows",
            "Foresight", "Netlink", "NetworkTypes", "Policy", "Sampling", "Sketches", "Storage", "Topology",
        ],
        path: "tools/benchmarks/swift"),
    .executableTarget(name: "agent-probe", dependencies: ["Agent", "Configuration"], path: "Tests/AgentProbe"),
    .executableTarget(name: "anomaly-probe", dependencies: ["Anomalies", "AnomalySupport"], path: "Tests/AnomalyProbe"),
    .executableTarget(name: "classifier-probe", dependencies: ["Applications", "Privileges"], path: "Tests/ClassifierProbe"),
    .executableTarget(name: "privileges-probe", dependencies: ["Privileges"], path: "Tests/PrivilegesProbe"),
    .executableTarget(name: "profile-probe", dependencies: ["Profiles", "ProfileSupport"], path: "Tests/ProfileProbe"),
    .executableTarget(name: "storage-probe", dependencies: ["NetworkTypes", "Storage", "Topology"], path: "Tests/StorageProbe"),
]

let executables: [Target] = [  // 8
    .executableTarget(name: "nilo", dependencies: ["Commands"])
]

let tests: [Target] = [
    .target(name: "TestSupport", dependencies: ["CDatapath", "CLibBPF", "CLinux"], path: "Tests/TestSupport"),
    .target(name: "AnomalySupport", path: "Tests/AnomalySupport"),
    .target(name: "FlowSupport", dependencies: ["Flows", "NetworkTypes", "TestSupport"], path: "Tests/FlowSupport"),
    .target(name: "ProfileSupport", dependencies: ["TestSupport"], path: "Tests/ProfileSupport"),
    .target(name: "TopologySupport", dependencies: ["Flows", "NetworkTypes", "Topology"], path: "Tests/TopologySupport"),
    .testTarget(
        name: "AgentTests",
        dependencies: [
            "agent-probe", "API", "Agent", "Applications", "CLibBPF", "CLinux", "Configuration", "Datapath", "Dissection", "Flows",
            "Forecasting",
            "Foresight", "IPFIX",
            "Logging", "Netlink", "NetworkTypes", "Planning", "Policy", "Profiles", "Reports", "Storage", "TestSupport", "Topology",
            "TopologySupport",
        ]),
    .testTarget(name: "APITests", dependencies: ["API"]),
    .testTarget(name: "AnomaliesTests", dependencies: ["Anomalies", "AnomalySupport", "TestSupport"]),
    .testTarget(
        name: "ApplicationsTests",
        dependencies: ["classifier-probe", "Applications", "CLinux", "Dissection", "Flows", "NetworkTypes", "TestSupport"]),
    .testTarget(
        name: "CommandsTests",
        dependencies: [
            "API", "Agent", "Commands", "Configuration", "Flows", "NetworkTypes", "Profiles", "Reports", "Terminal", "Topology",
            "TopologySupport",
        ]),
    .testTarget(
        name: "ConfigurationTests", dependencies: ["Configuration", "Flows", "FlowSupport", "NetworkTypes", "Policy", "TestSupport"]),
    .testTarget(
        name: "DatapathTests",
        dependencies: [
            "CDatapath", "CLibBPF", "CLinux", "Datapath", "Flows", "FlowSupport", "Netlink", "NetworkTypes", "Policy", "SFlow", "Sampling",
            "Sketches", "TestSupport",
        ]),
    .testTarget(name: "DissectionTests", dependencies: ["Dissection", "Flows", "NetworkTypes", "TestSupport"]),
    .testTarget(name: "FlowsTests", dependencies: ["Flows", "FlowSupport", "NetworkTypes", "TestSupport"]),
    .testTarget(name: "ForecastingTests", dependencies: ["Forecasting", "TestSupport"]),
    .testTarget(name: "ForesightTests", dependencies: ["Anomalies", "Forecasting", "Foresight", "Profiles", "TestSupport"]),
    .testTarget(name: "IPFIXTests", dependencies: ["Flows", "IPFIX", "NetworkTypes", "TestSupport"]),
    .testTarget(
        name: "IntegrationTests",
        dependencies: ["agent-probe", "nilo", "API", "CLibBPF", "CLinux", "Flows", "NetworkTypes", "Policy", "Reports", "TestSupport"]),
    .testTarget(name: "LoggingTests", dependencies: ["Logging"]),
    .testTarget(
        name: "NetlinkTests",
        dependencies: ["CLibBPF", "CLinux", "CNetlink", "Netlink", "NetworkTypes", "PathComputation", "Policy", "TestSupport", "Topology"]),
    .testTarget(name: "NetworkTypesTests", dependencies: ["NetworkTypes", "TestSupport"]),
    .testTarget(
        name: "PathComputationTests", dependencies: ["CLinux", "Flows", "NetworkTypes", "PathComputation", "TestSupport", "Topology"]),
    .testTarget(name: "PlanningTests", dependencies: ["Flows", "NetworkTypes", "Planning", "Policy", "TestSupport"]),
    .testTarget(name: "PolicyTests", dependencies: ["FlowSupport", "Flows", "NetworkTypes", "Policy", "TestSupport"]),
    .testTarget(name: "PCAPNGTests", dependencies: ["PCAPNG"]),
    .testTarget(name: "ProfilesTests", dependencies: ["Profiles", "ProfileSupport", "TestSupport"]),
    .testTarget(name: "PrivilegesTests", dependencies: ["privileges-probe"]),
    .testTarget(name: "ReportsTests", dependencies: ["Flows", "NetworkTypes", "Reports", "Topology", "TopologySupport"]),
    .testTarget(name: "SamplingTests", dependencies: ["Sampling", "TestSupport"]),
    .testTarget(name: "SketchesTests", dependencies: ["NetworkTypes", "Sketches", "TestSupport"]),
    .testTarget(name: "SuspicionsTests", dependencies: ["Flows", "NetworkTypes", "Sketches", "Suspicions", "TestSupport"]),
    .testTarget(name: "SFlowTests", dependencies: ["NetworkTypes", "SFlow", "TestSupport"]),
    .testTarget(
        name: "StorageTests",
        dependencies: ["storage-probe", "CLinux", "CSQLite", "NetworkTypes", "Storage", "TestSupport", "Topology"]),
    .testTarget(name: "TerminalTests", dependencies: ["Terminal"]),
    .testTarget(name: "TopologyTests", dependencies: ["Flows", "NetworkTypes", "TestSupport", "Topology"]),
    .testTarget(name: "TestSupportTests", dependencies: ["CDatapath", "CLibBPF", "CLinux", "TestSupport"]),
]

// An entry of libFuzzer has no main, so it is there only when tools/fuzz asks.
let fuzzing: [Target] =
    Context.environment["FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "nilo-fuzz", dependencies: ["Configuration", "Flows", "Netlink", "NetworkTypes", "Topology"], path: "Tests/Fuzz",
            swiftSettings: [.unsafeFlags(["-parse-as-library"])])
    ]

let build: [Target] = [
    .plugin(name: "BPFCompile", capability: .buildTool(), path: "tools/BPFCompile")
]

let package = Package(
    name: "nilometer",
    products: [.executable(name: "nilo", targets: ["nilo"])],
    targets: kernelAndLibraries + types + observations + intent + computation + edges + agent + commands + executables + tests + fuzzing
        + build,
    swiftLanguageModes: [.v6]
)
