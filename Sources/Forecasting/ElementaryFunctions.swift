// The one door through which this pure module takes elementary functions; the C library is imported nowhere else in it.
import Glibc

@inline(__always) func exponential(_ x: Double) -> Double { exp(x) }
@inline(__always) func logarithm(_ x: Double) -> Double { log(x) }
/// ln(1 + x)
@inline(__always) func logarithmOfOnePlus(_ x: Double) -> Double { log1p(x) }
/// e^x − 1
@inline(__always) func exponentialMinusOne(_ x: Double) -> Double { expm1(x) }
/// 2^x
@inline(__always) func powerOfTwo(_ x: Double) -> Double { exp2(x) }
