import Foresight
import Glibc

/// What it takes to keep many series current: a second of all of them, a fit with its forecast, a forecast without a fit, and memory. Two
/// weeks of 5 minutes are known of each.
func measureWatchedSeries(_ plan: Plan, _ results: Results) throws {
    let count = plan.rounds > 5 ? 10_000 : 1000
    let clock = StepClock()
    var book = SeriesBook(clock, limit: count, threshold: 3.5)
    var random = SystemRandomNumberGenerator()
    let keys = (0..<count).map { "bytes>host/bench/ns/init/if/eth\($0)" }
    let start: Int64 = 1_700_000_400
    func second(_ number: Int64) -> SeriesBook.Second {
        .init(
            end: start + number, duration: 1,
            samples: keys.map { .init(key: $0, value: Double.random(in: 0...1e6, using: &random), standing: .always) })
    }
    let before = try residentMemory()
    _ = book.turn(second(0))
    let looks = 14 * 1440
    let past = (0..<looks).map { look in
        WatchedSeries.Past(
            value: 1e6 + Double(look % 1440) * 500 + Double.random(in: 0...1e5, using: &random), duration: 60,
            end: start - Int64(looks - look) * 60 + 59)
    }
    let recalling = wallSeconds()
    for key in keys { book.replay(key, past) }
    results.add("recall_a_series_ms", (wallSeconds() - recalling) * 1000 / Double(count))

    var seconds: [Double] = []
    for number in 1...Int64(clock.step) {
        let samples = second(number)
        let begun = wallSeconds()
        _ = book.turn(samples)
        seconds.append((wallSeconds() - begun) * 1e9 / Double(count))
    }
    results.add("second_of_a_series_ns", seconds)
    let fits = min(count, 300)
    let fit = run(&book, fits)
    results.add("fit_and_forecast_of_a_series_ms", fit, .atMost(20))
    _ = run(&book, count)
    for number in 1...Int64(clock.step) { _ = book.turn(second(Int64(clock.step) + number)) }
    let forecast = run(&book, fits)
    results.add("forecast_of_a_series_ms", forecast, .atMost(1))
    results.add("series_kb", Double(book.bytes) / Double(count) / 1000, .atMost(64))
    results.add("series_with_models_kb", Double(try residentMemory() - before) / Double(count) / 1000, .atMost(64))
    let hourly = seconds.sorted()[seconds.count / 2] * 1e-9 * 3600 + forecast * 1e-3 * 11 + fit * 1e-3
    results.remark("series: \(count) of them; one is fitted anew once an hour and forecast every 5 minutes.")
    results.add("share_of_a_core_for_10000_percent", hourly * 10_000 / 36, .atMost(100))
}

/// Milliseconds each of the tasks that wait, at most so many.
private func run(_ book: inout SeriesBook, _ most: Int) -> Double {
    var done = 0
    let begun = wallSeconds()
    while done < most, let task = book.nextTask() {
        book.finish(task.run())
        done += 1
    }
    return (wallSeconds() - begun) * 1000 / Double(max(1, done))
}
