/// Words for the reasons that reports have as keys.
enum ReasonText {
    /// Why copies of a mirror session did not get to its target (`MirrorReport.failed`).
    static func failure(_ key: String) -> String {
        switch key {
        case "targetGone": "target gone"
        case "targetDown": "target down"
        case "noRoute": "no route to the collector"
        case "refused": "refused by the target's queue"
        case "noMemory": "no memory"
        case "form": "not to be brought into the form asked for"
        case "stale": "under way while the session changed"
        case "ringFull": "the agent has not kept up"
        default: key
        }
    }

    /// What did not go as a shaping rule says (`ShapeReport.exceptions`).
    static func exception(_ key: String) -> String {
        switch key {
        case "notWritten": "DSCP or mark could not be written"
        case "noRoom": "no room for one more host or flow: shared the rule's bucket"
        case "contended": "too many CPUs at one bucket: dropped"
        case "noDeparture": "not IP: sent at once"
        case "outside": "in none of its prefixes"
        default: key
        }
    }
}
