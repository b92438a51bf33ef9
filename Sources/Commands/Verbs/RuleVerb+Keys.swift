import NetworkTypes
import Policy

// What `add` takes for each kind of rule, and how the verbs explain themselves.

extension RuleVerb {
    static let mirrorKeys: [Key] = [
        Key(
            OptionSpecification(
                "to", value: "TARGET", help: "interface:, vxlan:, erspan: or file: …, see below"),
            yaml: { (v) throws(CommandFailure) in try target(v[0]) }),
        Key(
            OptionSpecification("one-in", value: "N", help: "one packet in N, at random (all)"),
            yaml: { (v) throws(CommandFailure) in "{packets: \(scalar(v[0]))}" }),
        Key(
            OptionSpecification("one-flow-in", value: "N", help: "all packets of one flow in N"), name: "one-in",
            yaml: { (v) throws(CommandFailure) in "{flows: \(scalar(v[0]))}" }),
        Key(OptionSpecification("snap", value: "BYTES", help: "most bytes of a frame (all that fits)")),
        Key(OptionSpecification("limit", value: "RATE", help: "most that is copied: 100Mbit/s, 10kpps or none")),
        Key(OptionSpecification("priority", value: "N", help: "the higher one sends to a destination (0)")),
        Key(
            OptionSpecification(
                "segments", value: "HOW", choices: ["wire", "super"], help: "super-packets as on the wire, or whole (super)")
        ),
    ]

    static let sampleKeys: [Key] = [
        Key(OptionSpecification("one-in", value: "N", help: "one wire packet in N, at random")),
        Key(OptionSpecification("budget", value: "RATE", help: "hold a rate instead, as \"500 samples/s\" or \"1 %\" of a CPU")),
        Key(OptionSpecification("first", value: "N", help: "also the first N packets of each flow (0)")),
        Key(
            OptionSpecification("always", value: "FLAGS", help: "also packets with any of these TCP flags, as syn,fin,rst"),
            yaml: { (v) throws(CommandFailure) in list(v[0].split(separator: ",").map(String.init)) }),
        Key(OptionSpecification("snap", value: "BYTES", help: "most bytes of a frame (128)")),
    ]

    static let shapeKeys: [Key] = [
        Key(OptionSpecification("rate", value: "RATE", help: "granted also when others want more, as 50Mbit/s")),
        Key(OptionSpecification("ceiling", value: "RATE", help: "the most there is to be had")),
        Key(OptionSpecification("burst", value: "BYTES", help: "what may pass at once, as 64kB")),
        Key(OptionSpecification("priority", value: "N", help: "who takes first what is left over, 0 to 7 (3)")),
        Key(
            OptionSpecification(
                "per", value: "WHAT", choices: ["aggregate", "flow", "host-source", "host-destination"],
                help: "what shares the rate (aggregate)"),
            yaml: { (v) throws(CommandFailure) in scalar(v[0].hasPrefix("host-") ? "host " + v[0].dropFirst(5) : v[0]) }),
        Key(OptionSpecification("dscp", value: "NAME", help: "write this codepoint, as cs1 or ef")),
        Key(OptionSpecification("parent", value: "RULE", help: "take the share out of that rule's")),
        Key(
            OptionSpecification(
                "mechanism", value: "HOW", choices: ["auto", "htb", "edt", "police"], help: "how it is done (auto)")),
        Key(OptionSpecification("overhead", value: "BYTES", help: "per packet beside its frame; 24 counts the line (0)")),
        Key(
            OptionSpecification("no-ecn", help: "drop without marking first"), name: "ecn", yaml: { (_) throws(CommandFailure) in "false" }),
    ]

    /// `vxlan:192.0.2.9,vni=16711681` as `{vxlan: {remote: 192.0.2.9, vni: 16711681}}`.
    static func target(_ text: String) throws(CommandFailure) -> String {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        let words = ["interface": "", "vxlan": "remote", "erspan": "remote", "file": "path"]
        guard parts.count == 2, let first = words[parts[0]] else {
            throw CommandFailure(
                "mirror add", "--to cannot be \"\(text.visible)\"",
                hint: "as interface:span0, vxlan:192.0.2.9,vni=16711681 or file:/tmp/web.pcapng",
                code: .usage)
        }
        if first.isEmpty { return "{\(parts[0]): \(scalar(parts[1]))}" }
        var fields: [String] = []
        for (index, field) in parts[1].split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            if index == 0 {
                fields.append("\(first): \(scalar(String(field)))")
            } else {
                let pair = field.split(separator: "=", maxSplits: 1).map(String.init)
                guard pair.count == 2 else {
                    throw CommandFailure("mirror add", "--to has \"\(field.visible)\" where KEY=VALUE belongs", code: .usage)
                }
                fields.append("\(scalar(pair[0])): \(scalar(pair[1]))")
            }
        }
        return "{\(parts[0]): {\(fields.joined(separator: ", "))}}"
    }

    private static let operand = CommandSpecification.Operand(
        "ACTION", count: 0...1000, choices: ["list", "add", "remove"],
        help: "list (the default), NAME, add NAME [FILTER…], remove NAME")

    private static let aboutFiles = """
        A rule that is added is a file of the policy folder and stays there until it is
        removed, also over a restart. nilo help apply tells how a change is made.
        """

    public static let mirror = command(
        CommandSpecification(
            "mirror", summary: "Send copies of packets elsewhere, and see how many",
            discussion: """
                The original is never changed, delayed or dropped. A copy is never copied again.
                Targets: interface:NAME; vxlan:ADDRESS,vni=N[,port=N][,local=ADDRESS];
                erspan:ADDRESS,session=N; file:PATH[,size=BYTES][,files=N].

                Each packet that MATCHED is in one of SKIPPED (--one-in, priority), CAPPED,
                FAILED and COPIED, or in the mirror port. One that is cut into the packets
                of the wire there is several in COPIED and FAILED. CUT and BYTES are of
                COPIED and, of a file, what the disk did not take (FAILED).

                \(aboutFiles)
                """,
            options: (scopeKeys + mirrorKeys).map(\.option) + ApplyVerb.changing, operand: operand,
            examples: [
                .init("nilo mirror", "every session with its counters"),
                .init("nilo mirror web", "one in full: all counters, its file, its filter as compiled"),
                .init("sudo nilo mirror add web --on eth0 --to interface:span0 tcp port 443", "HTTPS to a local port"),
                .init("sudo nilo mirror add all --on eth0 --to vxlan:192.0.2.9,vni=16711681", "everything to a collector"),
                .init("sudo nilo mirror remove web", "no more"),
            ]), .mirror)

    public static let sample = command(
        CommandSpecification(
            "sample", summary: "Sample packets for estimates and sFlow, and see how many",
            discussion: """
                Packets that are not sampled are counted exactly all the same.

                \(aboutFiles)
                """,
            options: (scopeKeys + sampleKeys).map(\.option) + ApplyVerb.changing, operand: operand,
            examples: [
                .init("nilo sample", "every rule with its counters"),
                .init("sudo nilo sample add all --one-in 1000", "one packet in a thousand, everywhere"),
                .init("sudo nilo sample add web --budget '500 samples/s' --first 8 tcp port 443", "a steady load, and how flows begin"),
            ]), .sampler)

    public static let shape = command(
        CommandSpecification(
            "shape", summary: "Give traffic a rate, a ceiling, a priority or a mark, and see what it gets",
            discussion: aboutFiles,
            options: (scopeKeys + shapeKeys).map(\.option) + ApplyVerb.changing, operand: operand,
            examples: [
                .init("nilo shape", "asked and achieved, side by side"),
                .init("sudo nilo shape add backup --on eth0 --ceiling 50Mbit/s port 873", "cap a backup, both ways"),
                .init("sudo nilo shape add guests --per host-source --ceiling 5Mbit/s net 10.9.0.0/16", "each guest for itself"),
            ]), .shaper)

    private static func command(_ specification: CommandSpecification, _ kind: RuleKind) -> Command {
        Command(specification) { arguments, context in try RuleVerb(kind: kind).run(arguments, context) }
    }
}
