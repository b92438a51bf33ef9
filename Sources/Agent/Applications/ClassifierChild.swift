import Applications
import Privileges

/// The process that reads the first packets of flows for the agent: this same program, started by `ClassifierProcess` with this verb.
public enum ClassifierChild {
    /// Not for people, and in no help.
    public static let verb = "classify"

    /// How the agent starts it: the program that is running, also when its file was replaced meanwhile.
    public static var program: ClassifierProcess.Program {
        ClassifierProcess.Program(path: "/proc/self/exe", name: "nilo", arguments: [verb])
    }

    /// Serves the socket at descriptor 3 until it is closed. Everything that the process may do is given up before the first byte is read.
    /// - Parameter arguments: of `ClassifierSettings`.
    public static func run(_ arguments: [String]) throws {
        guard let settings = ClassifierSettings(arguments: arguments) else {
            throw AgentFailure("classify", "the agent starts this command, with settings and a socket", hint: "nilo agent", kind: .failed)
        }
        try Confinement.enter(closingFrom: UInt32(ClassifierWorker.socketDescriptor) + 1)
        let worker = try ClassifierWorker(socket: ClassifierWorker.socketDescriptor, settings)
        try SystemCallFilter.allowComputingOnly()
        try worker.run()
    }
}
