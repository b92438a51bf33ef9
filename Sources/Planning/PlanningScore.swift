/// How a class fared, and how it would have fared as the policy files allocate it.
public struct PlanningScore: Hashable, Sendable {
    /// Seconds that were measured.
    public private(set) var seconds = 0
    /// Seconds in which more was asked for than was, or would have been, allocated.
    public private(set) var overloadPlanned = 0
    public private(set) var overloadDeclared = 0
    private var planned = 0.0
    private var declared = 0.0
    private var offered = 0.0

    public init() {}

    /// - Parameter isHeldBack: packets waited, and senders that slow down because of that ask for less than they would.
    mutating func add(offered demand: Double, planned allocation: Double, declared other: Double, isHeldBack: Bool) {
        seconds += 1
        if demand > allocation || isHeldBack { overloadPlanned += 1 }
        if demand > other { overloadDeclared += 1 }
        planned += allocation
        declared += other
        offered += demand
    }

    /// Means, bits a second; nil before the first second.
    public var meanPlanned: Double? { seconds > 0 ? planned / Double(seconds) : nil }
    public var meanDeclared: Double? { seconds > 0 ? declared / Double(seconds) : nil }
    public var meanDemand: Double? { seconds > 0 ? offered / Double(seconds) : nil }
}
