import Glibc

/// An SVG drawn as a PNG by librsvg (https://gnome.pages.gitlab.gnome.org/librsvg/Rsvg-2.0/) and cairo, which are looked for when a PNG is
/// asked for: nothing else of nilo needs them, and a host without them only has no PNG.
struct PNGPicture {
    let bytes: [UInt8]

    private typealias NewHandle = @convention(c) (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<OpaquePointer?>?) -> OpaquePointer?
    private typealias GetSize = @convention(c) (OpaquePointer, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>) -> Int32
    private typealias Render =
        @convention(c) (
            OpaquePointer, OpaquePointer, UnsafePointer<Double>, UnsafeMutablePointer<OpaquePointer?>?
        ) -> Int32
    private typealias NewSurface = @convention(c) (Int32, Int32, Int32) -> OpaquePointer?
    private typealias NewContext = @convention(c) (OpaquePointer) -> OpaquePointer?
    private typealias Release = @convention(c) (OpaquePointer) -> Void
    private typealias Sink = @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<UInt8>?, UInt32) -> Int32
    private typealias WritePNG = @convention(c) (OpaquePointer, Sink, UnsafeMutableRawPointer?) -> Int32

    /// CAIRO_FORMAT_ARGB32
    private static let colours: Int32 = 0
    /// Dots for each of the picture's points, so that it is sharp on the screens of today; and the most dots a side that cairo draws.
    private static let scale = 2.0
    private static let mostDots = 32_767.0

    /// - Parameter svg: with a size of its own.
    /// - Throws: where the libraries are missing, or the picture is too large for them.
    init(drawing svg: String) throws(CommandFailure) {
        let what = "draw a PNG"
        let rsvg = try Library("librsvg-2.so.2", what)
        let cairo = try Library("libcairo.so.2", what)
        let objects = try Library("libgobject-2.0.so.0", what)
        let newHandle: NewHandle = try rsvg.symbol("rsvg_handle_new_from_data")
        let size: GetSize = try rsvg.symbol("rsvg_handle_get_intrinsic_size_in_pixels")
        let render: Render = try rsvg.symbol("rsvg_handle_render_document")
        let newSurface: NewSurface = try cairo.symbol("cairo_image_surface_create")
        let newContext: NewContext = try cairo.symbol("cairo_create")
        let freeContext: Release = try cairo.symbol("cairo_destroy")
        let freeSurface: Release = try cairo.symbol("cairo_surface_destroy")
        let write: WritePNG = try cairo.symbol("cairo_surface_write_to_png_stream")
        let unref: Release = try objects.symbol("g_object_unref")

        let text = Array(svg.utf8)
        guard let handle = newHandle(text, text.count, nil) else { throw CommandFailure(what, "librsvg cannot read the picture") }
        defer { unref(handle) }
        var (width, height) = (0.0, 0.0)
        guard size(handle, &width, &height) != 0, width >= 1, height >= 1 else { throw CommandFailure(what, "the picture has no size") }
        let scale = min(Self.scale, Self.mostDots / max(width, height))
        guard let surface = newSurface(Self.colours, Int32(width * scale), Int32(height * scale)) else {
            throw CommandFailure(what, "there is not enough memory")
        }
        defer { freeSurface(surface) }
        guard let context = newContext(surface) else { throw CommandFailure(what, "there is not enough memory") }
        defer { freeContext(context) }
        // RsvgRectangle: x, y, width, height.
        guard render(handle, context, [0, 0, width * scale, height * scale], nil) != 0 else {
            throw CommandFailure(what, "librsvg cannot draw the picture")
        }

        var bytes: [UInt8] = []
        let status = withUnsafeMutablePointer(to: &bytes) { target in
            write(
                surface,
                { target, chunk, count in
                    target?.assumingMemoryBound(to: [UInt8].self).pointee += UnsafeBufferPointer(start: chunk, count: Int(count))
                    return 0
                }, target)
        }
        guard status == 0 else { throw CommandFailure(what, "cairo cannot write it: status \(status)") }
        self.bytes = bytes
    }

    /// A shared library that was found; it stays for as long as the process does.
    private struct Library {
        private let name: String
        private let what: String
        private let handle: UnsafeMutableRawPointer

        init(_ name: String, _ what: String) throws(CommandFailure) {
            guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
                throw CommandFailure(what, "\(name) is not there", hint: "apt-get install librsvg2-2, or take --format svg")
            }
            (self.name, self.what, self.handle) = (name, what, handle)
        }

        func symbol<Function>(_ symbol: String) throws(CommandFailure) -> Function {
            guard let address = dlsym(handle, symbol) else {
                throw CommandFailure(what, "\(name) has no \(symbol)", hint: "a newer librsvg2-2, or --format svg")
            }
            return unsafeBitCast(address, to: Function.self)
        }
    }
}

extension CommandContext {
    /// Writes an SVG as a PNG.
    func write(png svg: String, of what: String) throws {
        guard !output.isTerminal else {
            throw CommandFailure(what, "a PNG is nothing for a terminal", hint: "… >picture.png", code: .usage)
        }
        try writeBytes(try PNGPicture(drawing: svg).bytes)
    }
}
