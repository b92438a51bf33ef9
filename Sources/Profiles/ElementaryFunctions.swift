// The one door through which this pure module takes elementary functions; the C library is imported nowhere else in it.
import Glibc

@inline(__always) func logarithm(_ x: Double) -> Double { log(x) }
/// ln(1 + x)
@inline(__always) func logarithmOfOnePlus(_ x: Double) -> Double { log1p(x) }
