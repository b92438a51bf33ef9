import Datapath

@main struct Nilo {
    static func main() {}
}
