import Commands
import Glibc

@main struct Nilo {
    static func main() {
        exit(NiloCommands.table.run(Array(CommandLine.arguments.dropFirst()), context: .process()).rawValue)
    }
}
