import Configuration
import Glibc

/// What the files of the policy folder are worth as they stand there, whether or not anybody has asked to apply them.
struct PolicyJudgement {
    /// Of the files when they were read.
    private var stamps: [PolicyDirectory.Stamp]
    /// Files so new that a change of them could leave their stamps as they are.
    private var isFresh: Bool
    /// Every mistake, a line each; nil: there is none.
    private(set) var problem: String?

    /// Reads the files where they are not those of the judgement before.
    static func of(_ directory: PolicyDirectory, after before: PolicyJudgement? = nil) -> PolicyJudgement {
        let stamps: [PolicyDirectory.Stamp]
        do { stamps = try directory.stamps() } catch {
            return PolicyJudgement(stamps: [], isFresh: true, problem: "\(error)")
        }
        if let before, !before.isFresh, before.stamps == stamps { return before }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        // The kernel stamps files by its ticks.
        let isFresh = stamps.contains { now.tv_sec - $0.changedSeconds < 2 }
        do { _ = try PolicyFile.load(directory) } catch { return PolicyJudgement(stamps: stamps, isFresh: isFresh, problem: "\(error)") }
        return PolicyJudgement(stamps: stamps, isFresh: isFresh, problem: nil)
    }
}

extension PolicyKeeper {
    /// Why files could not be put in force.
    struct Trouble {
        var text: String
        /// It is about the files' text: whether it still holds can be seen by reading them.
        var isOfFiles: Bool
    }
}
