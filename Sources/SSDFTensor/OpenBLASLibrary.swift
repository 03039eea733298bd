import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// OpenBLAS, loaded when products are first wanted.
///
/// It is not linked, because of what it does when a program starts: it makes a thread for every processor, and each of
/// those takes 128 MiB of address space for its work and tries for ever where it cannot have them. Loaded here, it is told
/// to keep to one thread, and its work space is taken while failing is still possible.
struct OpenBLASLibrary: @unchecked Sendable {
    typealias Product =
        @convention(c) (
            _ order: Int32, _ transposeA: Int32, _ transposeB: Int32, _ m: Int32, _ n: Int32, _ k: Int32,
            _ alpha: Float,
            _ a: UnsafePointer<Float>, _ lda: Int32, _ b: UnsafePointer<Float>, _ ldb: Int32, _ beta: Float,
            _ c: UnsafeMutablePointer<Float>, _ ldc: Int32
        ) -> Void
    private typealias Name = @convention(c) () -> UnsafePointer<CChar>?
    private typealias Take = @convention(c) (Int32) -> UnsafeMutableRawPointer?
    private typealias GiveBack = @convention(c) (UnsafeMutableRawPointer?) -> Void

    /// `cblas_sgemm`, and the constants of its header.
    let product: Product
    static var rowMajor: Int32 { 101 }
    static var asStored: Int32 { 111 }
    static var transposed: Int32 { 112 }

    /// The kernels it picked, by its own name for them.
    let core: String
    private let take: Take?
    private let giveBack: GiveBack?

    /// Nil when the system has no OpenBLAS.
    init?() {
        // Read once, while it loads.
        let variable = "OPENBLAS_NUM_THREADS"
        let before = getenv(variable).map { String(cString: $0) }
        setenv(variable, "1", 1)
        defer { if let before { setenv(variable, before, 1) } else { unsetenv(variable) } }
        guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL),
            let product = dlsym(library, "cblas_sgemm"), let name = dlsym(library, "openblas_get_corename")
        else { return nil }
        self.product = unsafeBitCast(product, to: Product.self)
        core = unsafeBitCast(name, to: Name.self)().map { String(cString: $0) } ?? "unknown"
        take = dlsym(library, "blas_memory_alloc").map { unsafeBitCast($0, to: Take.self) }
        giveBack = dlsym(library, "blas_memory_free").map { unsafeBitCast($0, to: GiveBack.self) }
    }

    /// Bytes of address space that one product works in.
    private static var workBytes: Int { 128 << 20 }

    /// Takes the work space of as many products at a time as there are threads; the pages are not touched. Ends the program
    /// when there is not so much room. A limit that `--max-memory` has set is raised, because it is about memory in use.
    func reserve(products: Int) {
        let bytes = products * Self.workBytes
        var limit = rlimit()
        if getrlimit(dataLimit, &limit) == 0, limit.rlim_cur != rlim_t.max, limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = min(limit.rlim_cur + rlim_t(bytes), limit.rlim_max)
            setrlimit(dataLimit, &limit)
        }
        // A little more, so that what follows cannot fail for want of a page.
        endUnlessThereIsRoom(for: bytes + 16 << 20)
        guard let take, let giveBack else { return }
        let spaces = (0..<products).map { _ in take(0) }
        for space in spaces { giveBack(space) }
    }

    /// Ends the program unless so many bytes could be had now.
    private func endUnlessThereIsRoom(for bytes: Int) {
        let room = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let room, room != MAP_FAILED else { ssdf_end_without_memory(bytes) }
        munmap(room, bytes)
    }
}
