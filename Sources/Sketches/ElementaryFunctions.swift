// The elementary functions of this module: the one file of it that reaches beyond the standard library.
import Glibc

/// The natural logarithm of `value`, which is positive.
func logarithm(_ value: Double) -> Double { log(value) }

/// e to the power of `value`.
func exponential(_ value: Double) -> Double { exp(value) }
