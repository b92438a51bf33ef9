import Commands
import Foundation
import Synchronization
import Testing

@Suite struct CommandTableTests {
    private static let table = CommandTable(
        version: "1.2.3",
        commands: [
            Command(FlowsVerb.specification) { arguments, context in try context.write("flows \(arguments.operands)\n") },
            Command(InterfacesVerb.specification) { _, _ in
                throw CommandFailure("reach the agent", "no such file", hint: "start it: nilo agent", code: .agentUnreachable)
            },
            Command(StatusVerb.specification) { _, _ in throw CocoaError(.fileNoSuchFile) },
        ])

    private static func run(_ words: String...) -> (code: ExitCode, out: String, err: String) {
        let screen = Screen()
        let code = table.run(words, context: screen.context())
        return (code, screen.written, screen.complaints)
    }

    @Test func outcomes() {
        #expect(Self.run("flows", "tcp").out == "flows [\"tcp\"]\n")
        #expect(Self.run("flows", "tcp").code == .success)
        let unreachable = Self.run("interfaces")
        #expect(unreachable.code == .agentUnreachable)
        #expect(unreachable.err == "nilo: reach the agent: no such file\nhint: start it: nilo agent\n")
        #expect(Self.run("status").code == .failed)
        #expect(Self.run("status").err.hasPrefix("nilo: status: "))
        let unknown = Self.run("flwos")
        #expect(unknown.code == .usage)
        #expect(unknown.err == "nilo: \"flwos\": there is no such command\nhint: did you mean nilo flows?\n")
        #expect(Self.run().code == .usage)
        #expect(Self.run("status", "extra").code == .usage)
        #expect(Self.run("flows", "--tpo", "1").err.contains("did you mean --top?"))
        #expect(Self.run("--version").out == "nilo 1.2.3\n")
    }

    /// What the agent starts of itself runs, and is in nothing that people read.
    @Test func hiddenCommands() {
        #expect(!NiloCommands.table.specifications.contains { $0.name == "classify" })
        let screen = Screen()
        #expect(NiloCommands.table.run(["classify"], context: screen.context()) == .failed)
        #expect(screen.complaints == "nilo: classify: the agent starts this command, with settings and a socket\nhint: nilo agent\n")
    }

    @Test func aReaderThatLeavesIsNoFailure() {
        let screen = Screen()
        #expect(Self.table.run(["flows"], context: screen.context(closesAfter: 0)) == .success)
        #expect(screen.complaints.isEmpty)
    }

    /// The real thing: a pipe whose reading end is closed.
    @Test func brokenPipe() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        _ = CommandContext.process()  // ignores SIGPIPE
        #expect(throws: OutputClosed.self) { try CommandContext.writeAll("x", to: ends[1]) }
        #expect(throws: CommandFailure.self) { try CommandContext.writeAll("x", to: -1) }
    }

    @Test func writesAllOfALongText() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let text = String(repeating: "0123456789", count: 50_000)
        let reader = Thread {
            var buffer = [UInt8](repeating: 0, count: 4096)
            var count = 0
            while true {
                let n = read(reading, &buffer, buffer.count)
                if n <= 0 { break }
                count += n
            }
            close(reading)
            received.withLock { $0 = count }
            done.signal()
        }
        reader.start()
        try CommandContext.writeAll(text, to: writing)
        close(writing)
        done.wait()
        #expect(received.withLock { $0 } == 500_000)
    }

    @Test func help() {
        let overview = Self.run("help").out
        for name in ["flows", "interfaces", "status", "help", "completion"] { #expect(overview.contains("\n  \(name)")) }
        #expect(Self.run("--help").out == overview)
        let page = Self.run("help", "flows").out
        #expect(Self.run("flows", "--help").out == page)
        #expect(Self.run("flows", "-h", "this is (not read").out == page)
        for option in FlowsVerb.specification.options { #expect(page.contains("--\(option.name)")) }
        for example in FlowsVerb.specification.examples { #expect(page.contains("  \(example.command)\n")) }
        #expect(Self.run("help", "flwos").code == .usage)
        #expect((overview + page).split(separator: "\n").allSatisfy { $0.count <= 80 })
        let markdown = Self.run("help", "--markdown").out
        #expect(
            markdown.contains("## nilo flows\n") && markdown.contains("| `-n, --top N` |")
                && markdown.contains("| 4 | the agent cannot be reached |"))
    }

    /// Every example in the help is a command line that is understood.
    @Test func examplesAreUnderstood() throws {
        for specification in Self.table.specifications {
            for example in specification.examples where !example.command.contains("<(") {
                let command = example.command.split(whereSeparator: { "|>".contains($0) })[0]
                let words = try Shell.output("printf '%s\\n' \(command)").split(separator: "\n").map(String.init)
                #expect(words.prefix(2) == ["nilo", specification.name])
                let parsed = try ParsedArguments(words.dropFirst(2), for: specification)
                if specification.name == "flows" { _ = try FlowsVerb(parsed) }
            }
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func completionNamesEverything(shell: String) throws {
        let script = Self.run("completion", shell).out
        for specification in Self.table.specifications {
            #expect(script.contains(specification.name))
            for option in specification.options { #expect(script.contains(option.name)) }
        }
        #expect(Self.run("completion", "tcsh").code == .usage)
    }

    /// What the shell itself makes of the script.
    @Test func bashCompletes() throws {
        let script = Self.run("completion", "bash").out
        func complete(_ words: String...) throws -> [String] {
            let quoted = words.map { "'\($0)'" }.joined(separator: " ")
            let call = "\(script)\nCOMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count - 1); _nilo; printf '%s\\n' \"${COMPREPLY[@]}\""
            return try Shell.output(call, shell: "/bin/bash").split(separator: "\n").map(String.init)
        }
        #expect(try complete("nilo", "fl") == ["flows"])
        #expect(try complete("nilo", "flows", "--sor") == ["--sort"])
        #expect(try complete("nilo", "flows", "--sort", "b") == ["bytes"])
        #expect(try complete("nilo", "completion", "z") == ["zsh"])
        #expect(try complete("nilo", "help", "int") == ["interfaces"])
    }
}

private let received = Mutex(0)
private let done = DispatchSemaphore(value: 0)

private enum Shell {
    struct Failed: Error { var status: Int32 }
    static func output(_ command: String, shell: String = "/bin/sh") throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: shell)
        process.arguments = ["-c", command]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(status: process.terminationStatus) }
        return String(decoding: data, as: UTF8.self)
    }
}
