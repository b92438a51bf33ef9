/// What flows gained between two looks, so that who wants to know need not look at those that did nothing.
extension FlowTable {
    struct Gain {
        var entry: UInt32
        var totals: Totals
        var transport: TransportCounts
        /// The record as it was when the flow left the table meanwhile: its entry may be another's now.
        var closed: FlowRecord?
    }

    mutating func gain(_ index: UInt32, _ entry: inout Entry, _ observation: borrowing FlowObservation) {
        if entry.gain == 0 {
            gains.append(Gain(entry: index, totals: observation.totals, transport: observation.transport))
            entry.gain = UInt32(gains.count)
        } else {
            gains[Int(entry.gain) - 1].totals += observation.totals
            gains[Int(entry.gain) - 1].transport += observation.transport
        }
    }

    /// Tells what each flow gained since the last call, or since ``keepsGains`` was set: its record as it is now, and the gain.
    public mutating func takeGains(_ body: (FlowRecord, Totals, TransportCounts) -> Void) {
        for gain in gains {
            if let closed = gain.closed {
                body(closed, gain.totals, gain.transport)
            } else {
                settleGain(of: gain.entry)
                body(withEntry(gain.entry) { $0.record }, gain.totals, gain.transport)
            }
        }
        gains.removeAll(keepingCapacity: true)
    }
}
