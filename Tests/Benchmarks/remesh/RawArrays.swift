import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes the bytes of an array to a file.
func write<Element: BitwiseCopyable>(_ elements: [Element], to path: String) throws(Failure) {
    guard let file = fopen(path, "w") else { throw Failure(.cannotCreate, file: path, "cannot be created") }
    defer { fclose(file) }
    guard fwrite(elements, MemoryLayout<Element>.stride, elements.count, file) == elements.count else {
        throw Failure(.inputOutput, file: path, "cannot be written")
    }
}

/// Reads a file of raw elements.
func read<Element: BitwiseCopyable>(_ path: String) throws(Failure) -> [Element] {
    guard let file = fopen(path, "r") else { throw Failure(.noInput, file: path, "cannot be opened") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    let count = ftell(file) / MemoryLayout<Element>.stride
    rewind(file)
    return [Element](unsafeUninitializedCapacity: count) { buffer, used in
        used = fread(buffer.baseAddress, MemoryLayout<Element>.stride, count, file)
    }
}
