/// What a person pressed, free of any terminal library.
enum TopKey: Hashable, Sendable {
    case character(Character)
    case up, down, left, right, pageUp, pageDown, home, end
    case enter, escape, backspace
    /// Ctrl-U: deletes what was typed.
    case erase
}
