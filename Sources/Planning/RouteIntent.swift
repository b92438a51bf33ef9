import NetworkTypes
import Policy

/// A route whose traffic may go over several paths, with what each of them is to be filled to.
public struct RouteIntent: Hashable, Sendable {
    public var declaration: RouteDeclaration
    /// By path, bits a second: the declared capacity of its link times `below`.
    public var limits: [Double]

    public var name: String { declaration.name }
    public var interfaces: [String] { declaration.paths.map(\.interface) }
    /// What the route's own series is called.
    public var series: String { Self.series(name) }

    public static func series(_ name: String) -> String { "route/\(name)" }
    /// What the series of all else that is sent over an interface is called.
    public static func background(_ interface: String) -> String { "link/\(interface)" }

    public init(declaration: RouteDeclaration, limits: [Double]) {
        precondition(declaration.paths.count == limits.count, "\(limits.count) limits")
        self.declaration = declaration
        self.limits = limits
    }

    /// Those of a policy without mistakes, in the order of the files.
    public static func all(of policy: Policy) -> [RouteIntent] {
        let capacities = Dictionary(
            policy.links.compactMap { link in link.capacity.map { (link.interface, $0.bitsPerSecond) } },
            uniquingKeysWith: { first, _ in first })
        return policy.routes.map { route in
            RouteIntent(declaration: route, limits: route.paths.map { route.below * (capacities[$0.interface] ?? 0) })
        }
    }
}

/// How a route's traffic is spread over its paths, in hundredths: `[100, 0]` is all over the first.
public struct PathWeights: Hashable, Sendable, CustomStringConvertible {
    public static let whole = 100
    /// By path; their sum is `whole`.
    public let parts: [Int]

    /// All over one path.
    public init(allOver path: Int = 0, of count: Int) {
        parts = (0..<count).map { $0 == path ? Self.whole : 0 }
    }

    /// nil: they do not add up, or one is negative.
    public init?(parts: [Int]) {
        guard !parts.isEmpty, parts.allSatisfy({ $0 >= 0 }), parts.reduce(0, +) == Self.whole else { return nil }
        self.parts = parts
    }

    /// In hundredths, of shares whose sum is above 0. All but the last of the paths that get any are rounded down: they are the ones that
    /// are filled up to a limit.
    public init(shares: [Double]) {
        let sum = shares.reduce(0, +)
        precondition(sum > 0 && shares.allSatisfy { $0 >= 0 }, "shares \(shares)")
        let exact = shares.map { $0 / sum * Double(Self.whole) }
        let last = exact.lastIndex { $0 >= 0.5 } ?? 0
        var parts = exact.enumerated().map { $0.offset < last ? Int($0.element) : 0 }
        parts[last] = Self.whole - parts.reduce(0, +)
        self.parts = parts
    }

    public func share(_ path: Int) -> Double { Double(parts[path]) / Double(Self.whole) }
    public var shares: [Double] { parts.indices.map(share) }

    /// How much of the traffic goes over another path than with `other`, 0 … 1.
    public func distance(to other: PathWeights) -> Double {
        zip(parts, other.parts).reduce(0) { $0 + Double(abs($1.0 - $1.1)) } / Double(2 * Self.whole)
    }

    /// How far from the first path the traffic goes: 0 is all over the first.
    var remoteness: Double { parts.enumerated().reduce(0) { $0 + Double($1.offset * $1.element) } / Double(Self.whole) }

    public var description: String { parts.map(String.init).joined(separator: ":") }
}
