import Agent
import Glibc
import Synchronization

/// Names of addresses, each looked up once. Looking up takes a bounded time: an address without an answer by then stays a number, and its
/// answer, should it still come, serves the next list.
final class ReverseDNS: Sendable {
    typealias Lookup = @Sendable (String) -> String?

    private struct State {
        /// nil inside: there is no name.
        var known: [String: String?] = [:]
        /// Asked for or about to be.
        var pending: Set<String> = []
        var queue: [String] = []
        var threads = 0
    }

    private let state = Mutex(State())
    private let lookup: Lookup
    private let threads: Int
    private let budget: Duration

    init(threads: Int = 4, budget: Duration = .seconds(2), lookup: @escaping Lookup = { ReverseDNS.systemName(of: $0) }) {
        self.threads = threads
        self.budget = budget
        self.lookup = lookup
    }

    /// What is known after at most the budget.
    func names(of addresses: Set<String>) -> [String: String] {
        let missing = state.withLock { state in
            let new = addresses.filter { state.known[$0] == nil && !state.pending.contains($0) }.sorted()
            state.pending.formUnion(new)
            state.queue += new
            let wanted = min(threads, state.queue.count) - state.threads
            state.threads += max(0, wanted)
            return max(0, wanted)
        }
        for _ in 0..<missing where !DetachedThread.start({ self.work() }) { state.withLock { $0.threads -= 1 } }
        let end = ContinuousClock.now + budget
        while true {
            let (isComplete, found) = state.withLock { state in
                let isComplete = addresses.allSatisfy { state.known[$0] != nil } || state.threads == 0
                return (isComplete, state.known.filter { addresses.contains($0.key) }.compactMapValues { $0 })
            }
            if isComplete || ContinuousClock.now >= end { return found }
            usleep(2000)
        }
    }

    private func work() {
        while let address = next() {
            let name = lookup(address)
            state.withLock { state in
                state.known[address] = .some(name)
                state.pending.remove(address)
            }
        }
    }

    private func next() -> String? {
        state.withLock { state in
            if state.queue.isEmpty {
                state.threads -= 1
                return nil
            }
            return state.queue.removeFirst()
        }
    }

    /// getnameinfo(3); nil when there is no name or nobody who knows.
    static func systemName(of address: String) -> String? {
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        func ask(_ socketAddress: some Any) -> Bool {
            withUnsafePointer(to: socketAddress) { typed in
                typed.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    let size = socklen_t(MemoryLayout.size(ofValue: typed.pointee))
                    return getnameinfo($0, size, &name, socklen_t(name.count), nil, 0, NI_NAMEREQD) == 0
                }
            }
        }
        var four = sockaddr_in()
        var six = sockaddr_in6()
        four.sin_family = sa_family_t(AF_INET)
        six.sin6_family = sa_family_t(AF_INET6)
        let found =
            inet_pton(AF_INET, address, &four.sin_addr) == 1 ? ask(four) : inet_pton(AF_INET6, address, &six.sin6_addr) == 1 && ask(six)
        return found ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
