import Forecasting

extension Agent {
    /// What a fit brings is taken on the loop's thread.
    private struct Bringing: @unchecked Sendable {
        // Made and called on the loop's thread alone; the other thread only carries it.
        let run: (DemandForecasts.Fit) -> Void
    }

    /// Fits a model on a thread of its own: it takes some ten milliseconds.
    func fitElsewhere(_ fit: @escaping @Sendable () -> DemandForecasts.Fit, _ bring: @escaping (DemandForecasts.Fit) -> Void) {
        let bringing = Bringing(run: bring)
        let jobs = loop.jobs
        let isStarted = DetachedThread.start {
            let result = fit()
            // Where the loop has ended nobody wants it any more.
            _ = jobs.add { bringing.run(result) }
        }
        if !isStarted { bring(fit()) }
    }
}
