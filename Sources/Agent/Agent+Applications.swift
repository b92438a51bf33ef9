import Datapath
import Logging

extension Agent {
    /// Starts what tells applications, unless it is switched off. Where it cannot be, everything else goes on.
    func startApplications() throws {
        guard configuration.applications.isOn else {
            // An earlier agent may have had it on.
            return try SamplerTables(maps: datapath.maps).removeFirst()
        }
        do {
            let keeper = try ApplicationKeeper(
                configuration.applications, program: ClassifierChild.program, loop, datapath, follower, log,
                readings: { [unowned self] in collector.readings })
            applications = keeper
            consumer.applications = keeper
        } catch {
            applicationsProblem = "\(error)"
            log.error("applications are not told", ["reason": LogValue("\(error)")])
        }
    }
}
