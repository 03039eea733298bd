import SSDFCore

extension Array where Element: BitwiseCopyable {
    /// An array over storage for up to `capacity` elements, of which `fill` initialises the first ones and says how many.
    /// What is not touched stays virtual: the storage costs no memory beyond the count.
    init(
        upTo capacity: Int, _ fill: (UnsafeMutableBufferPointer<Element>) throws(Failure) -> Int
    ) throws(Failure) {
        var failure: Failure?
        self.init(unsafeUninitializedCapacity: capacity) { storage, initialized in
            adviseHugePages(UnsafeMutableRawBufferPointer(storage))
            do throws(Failure) {
                initialized = try fill(storage)
            } catch {
                failure = error
                initialized = 0
            }
        }
        if let failure { throw failure }
    }
}
