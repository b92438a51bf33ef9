// The elementary functions of this module: the one file of it that reaches beyond the standard library. glibc documents each as
// accurate to 1 ulp or 2, so a score does not depend on the machine by more than that.
import Glibc

/// The natural logarithm of `value`, which is positive.
func logarithm(_ value: Double) -> Double { log(value) }

/// The natural logarithm of `1 + value`, exact also for small values; `value` is above -1.
func logarithmOfOnePlus(_ value: Double) -> Double { log1p(value) }

/// Grows like the value near 0 and like its logarithm far from it, on both sides.
func inverseHyperbolicSine(_ value: Double) -> Double { asinh(value) }

/// e to the power of `value`.
func exponential(_ value: Double) -> Double { exp(value) }
