import NetworkTypes

/// `nilo completion bash|zsh|fish`: a script for the shell, from the specifications.
enum CompletionVerb {
    static let specification = CommandSpecification(
        "completion", summary: "Print completion for a shell",
        operand: .init("SHELL", count: 1...1, choices: Shell.allCases.map(\.rawValue), help: "bash, zsh or fish"),
        examples: [
            .init("source <(nilo completion bash)", "in this shell, or in ~/.bashrc for all"),
            .init("nilo completion zsh > \"${fpath[1]}/_nilo\"", "for zsh"),
            .init("nilo completion fish > ~/.config/fish/completions/nilo.fish", "for fish"),
        ])

    enum Shell: String, CaseIterable { case bash, zsh, fish }

    static func command(_ specifications: [CommandSpecification]) -> Command {
        Command(specification) { arguments, context in
            guard let shell = Shell(rawValue: arguments.operands[0]) else {
                throw CommandFailure(
                    "completion", "\"\(arguments.operands[0].visible)\" is not a shell it is made for", hint: "bash, zsh or fish",
                    code: .usage)
            }
            try context.write(script(for: shell, specifications))
        }
    }

    static func script(for shell: Shell, _ specifications: [CommandSpecification]) -> String {
        switch shell {
        case .bash: bash(specifications)
        case .zsh: zsh(specifications)
        case .fish: fish(specifications)
        }
    }

    private static func words(_ specification: CommandSpecification, _ all: [CommandSpecification]) -> [String] {
        let operands = specification.name == "help" ? all.map(\.name) : specification.operand?.choices ?? []
        return specification.allOptions.map { "--\($0.name)" } + operands
    }

    private static func bash(_ all: [CommandSpecification]) -> String {
        var cases = ""
        for specification in all {
            for option in specification.options where option.placeholder != nil {
                let patterns = ["--\(option.name)"] + (option.short.map { ["-\($0)"] } ?? [])
                for pattern in patterns {
                    cases += "        \(specification.name):\(pattern)) words=\"\(option.choices.joined(separator: " "))\" ;;\n"
                }
            }
            cases += "        \(specification.name):*) words=\"\(words(specification, all).joined(separator: " "))\" ;;\n"
        }
        return """
            # bash completion for nilo, made by: nilo completion bash
            _nilo() {
                local words word=${COMP_WORDS[COMP_CWORD]}
                if ((COMP_CWORD == 1)); then
                    words="\(all.map(\.name).joined(separator: " ")) --help --version"
                else
                    case "${COMP_WORDS[1]}:${COMP_WORDS[COMP_CWORD - 1]}" in
            \(cases)        *) words="" ;;
                    esac
                fi
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
            }
            complete -F _nilo nilo

            """
    }

    /// For single quotes of a POSIX shell.
    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    private static func zsh(_ all: [CommandSpecification]) -> String {
        /// Characters that mean something in an _arguments specification.
        func plain(_ text: String) -> String { String(text.map { "[]:\\".contains($0) ? " " : $0 }) }
        var cases = ""
        for specification in all {
            var parts: [String] = []
            for option in specification.allOptions {
                var part = "--\(option.name)"
                if option.placeholder != nil { part += "=" }
                if option.mayRepeat { part = "*" + part }
                part += "[\(plain(option.help))]"
                if let placeholder = option.placeholder {
                    part += ":\(plain(placeholder)):" + (option.choices.isEmpty ? "" : "(\(option.choices.joined(separator: " ")))")
                }
                parts.append(quoted(part))
            }
            if let operand = specification.operand {
                let choices = specification.name == "help" ? all.map(\.name) : operand.choices
                let action = choices.isEmpty ? "" : "(\(choices.joined(separator: " ")))"
                parts.append(quoted((operand.count.upperBound > 1 ? "*" : "1") + ":\(plain(operand.placeholder)):\(action)"))
            }
            cases += "        \(specification.name)) _arguments -s \(parts.joined(separator: " ")) ;;\n"
        }
        let verbs = all.map { quoted("\($0.name):\(plain($0.summary))") }.joined(separator: " ")
        return """
            #compdef nilo
            # zsh completion for nilo, made by: nilo completion zsh
            _nilo() {
                local -a verbs=(\(verbs))
                if ((CURRENT == 2)); then
                    _describe command verbs
                    return
                fi
                local verb=$words[2]
                words=("${(@)words[2,-1]}")
                ((CURRENT--))
                case $verb in
            \(cases)    esac
            }
            if [[ $funcstack[1] == _nilo ]]; then _nilo "$@"; else compdef _nilo nilo; fi

            """
    }

    private static func fish(_ all: [CommandSpecification]) -> String {
        func quoted(_ text: String) -> String { "'" + text.flatMap { $0 == "'" || $0 == "\\" ? "\\\($0)" : "\($0)" } + "'" }
        var text = "# fish completion for nilo, made by: nilo completion fish\ncomplete -c nilo -f\n"
        for specification in all {
            text += "complete -c nilo -n __fish_use_subcommand -a \(specification.name) -d \(quoted(specification.summary))\n"
            let condition = quoted("__fish_seen_subcommand_from \(specification.name)")
            for option in specification.allOptions {
                text += "complete -c nilo -n \(condition) -l \(option.name)"
                if let short = option.short { text += " -s \(short)" }
                if option.placeholder != nil { text += " -x" }
                if !option.choices.isEmpty { text += " -a \(quoted(option.choices.joined(separator: " ")))" }
                text += " -d \(quoted(option.help))\n"
            }
            let operands = specification.name == "help" ? all.map(\.name) : specification.operand?.choices ?? []
            if !operands.isEmpty { text += "complete -c nilo -n \(condition) -a \(quoted(operands.joined(separator: " ")))\n" }
        }
        return text
    }
}
