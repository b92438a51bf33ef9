import Foundation
import PackagePlugin

/// Compiles every `*.bpf.c` in the target's own folder with the toolchain's clang and hands the target one generated
/// C file per program that `#embed`s the object, so that the executable carries its programs and can be moved.
///
/// The target's `path` must be the folder of the programs: SwiftPM runs the plugin again when *that* folder changes.
@main struct BPFCompile: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) async throws -> [Command] {
        let clang = try context.tool(named: "clang").url
        let root = context.package.directoryURL
        let work = context.pluginWorkDirectoryURL
        let folders = Set([root.appending(path: "bpf"), URL(filePath: target.directory.string)])
        let files = folders.flatMap { folder in
            FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL } ?? []
        }
        let headers = files.filter { $0.pathExtension == "h" }.sorted { $0.path < $1.path }
        let programs = files.filter { $0.lastPathComponent.hasSuffix(".bpf.c") && $0.path.hasPrefix(target.directory.string) }
        #if arch(arm64)
            let multiarch = "/usr/include/aarch64-linux-gnu"
            let machine = "arm64"
        #else
            let multiarch = "/usr/include/x86_64-linux-gnu"
            let machine = "x86"
        #endif
        return try programs.sorted { $0.path < $1.path }.map { program in
            let name = program.lastPathComponent.dropLast(".bpf.c".count)
            let object = work.appending(path: "\(name).bpf.o")
            let source = work.appending(path: "\(name)_bpf_object.c")
            let text = """
                #pragma clang diagnostic ignored "-Wc23-extensions"
                const unsigned char \(name)_bpf_object[] __attribute__((aligned(8))) = {
                #embed "\(name).bpf.o"
                };
                const unsigned long \(name)_bpf_object_size = sizeof(\(name)_bpf_object);

                """
            if (try? String(contentsOf: source, encoding: .utf8)) != text {
                try text.write(to: source, atomically: true, encoding: .utf8)
            }
            return .buildCommand(
                displayName: "Compiling BPF \(program.lastPathComponent)", executable: clang,
                arguments: [
                    // v3 is the newest instruction set that kernel 6.1 takes; a part split off as cold could not be called.
                    "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Xclang", "-fno-split-cold-code", "-Wall", "-Werror",
                    "-D__TARGET_ARCH_\(machine)",
                    "-fdebug-prefix-map=\(root.path)=.", "-I", root.appending(path: "bpf").path, "-idirafter", multiarch,
                    "-c", program.path, "-o", object.path,
                ],
                inputFiles: [program] + headers, outputFiles: [source])
        }
    }
}
