import Commands

@main struct Nilo {
    static func main() {}
}
