/// Which contexts a series has been in: a codebook of prototypes that grows where something new is met.
///
/// A context is a few numbers about the last minutes, such as mean and spread over windows of several lengths. What is far from every
/// prototype has not been seen before, also when each number alone has. This is the idea of adaptive resonance (Carpenter, Grossberg 1987)
/// with a Euclidean match, a fixed number of prototypes, and the least used one making room.
struct ContextMemory<Context: SIMD & Sendable>: Sendable where Context.Scalar == Float {
    /// How many prototypes there are at most.
    static var capacity: Int { 48 }
    /// A context further from every prototype than this becomes one.
    private static var radius: Float { 0.05 }
    /// How far a prototype moves towards a context that is its own, at least.
    private static var step: Float { 0.05 }
    /// Uses are forgotten at this rate.
    private static var forgetting: Float { 0.9995 }

    private var prototypes: [Context]
    private var uses: [Float]
    private var count = 0
    /// A use weighs more the later it is: the same as forgetting, with one number to change.
    private var weight: Float = 1
    private let dimensions: Float

    init(dimensions: Int) {
        precondition((1...Context.scalarCount).contains(dimensions), "\(dimensions)")
        self.dimensions = Float(dimensions)
        prototypes = Array(repeating: Context(), count: Self.capacity)
        uses = Array(repeating: 0, count: Self.capacity)
    }

    var bytes: Int { prototypes.capacity * MemoryLayout<Context>.stride + uses.capacity * MemoryLayout<Float>.stride }

    /// The distance to the nearest prototype, as root mean square over the dimensions; nil when nothing has been learnt.
    func distance(_ context: Context) -> Float? {
        guard count > 0 else { return nil }
        return (nearest(context).square / dimensions).squareRoot()
    }

    mutating func learn(_ context: Context) {
        weight /= Self.forgetting
        if weight > 1e20 {
            for index in 0..<count { uses[index] /= weight }
            weight = 1
        }
        let (index, square) = nearest(context)
        guard count > 0, (square / dimensions).squareRoot() <= Self.radius else { return add(context) }
        uses[index] += weight
        let move = max(weight / uses[index], Self.step)
        prototypes[index] += (context - prototypes[index]) * move
    }

    private mutating func add(_ context: Context) {
        var place = count
        if count < Self.capacity {
            count += 1
        } else {
            place = 0
            for index in 1..<count where uses[index] < uses[place] { place = index }
        }
        prototypes[place] = context
        uses[place] = weight
    }

    private func nearest(_ context: Context) -> (index: Int, square: Float) {
        var best = Float.infinity
        var place = 0
        for index in 0..<count {
            let distance = prototypes[index] - context
            let square = (distance * distance).sum()
            if square < best {
                best = square
                place = index
            }
        }
        return (place, best)
    }
}
