import PathComputation

// The topology has entities of these names: here the network that packets are led through is meant.
typealias NetworkState = PathComputation.NetworkState
typealias LinkKind = PathComputation.LinkKind
