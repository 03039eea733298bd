import SSDFCore
import SSDFVolume

/// A file that is looked at: a container of volumes, or a mesh.
package struct Inspection: ~Copyable {
    private enum Content: ~Copyable {
        case volumes(VolumeFile)
        case mesh(LoadedMesh)
        /// A container that breaks rules: all that were found, at least one.
        case broken([Failure])
    }

    /// What was found.
    package struct Findings: Sendable {
        /// For a person.
        package var text: String
        /// For a program: one object.
        package var json: JSONValue
        /// What was checked and does not hold, one line each.
        package var complaints: [String] = []
    }

    /// The name for messages.
    package let name: String
    private let content: Content

    /// Opens a file and tells what it is by its first bytes; "-" is standard input.
    /// - Parameter checks: whether a container is held to every rule of ssdf(5), and what breaks one is a complaint
    ///   instead of an error.
    /// - Throws: `noInput`, `inputOutput`, or `badData` when it is neither a container nor a mesh.
    package init(path: String, checks: Bool, threads: Int) throws(Failure) {
        name = path == "-" ? "standard input" : path
        content = try Self.open(path, checks: checks, threads: threads)
    }

    /// Whether this is a container that breaks rules, so that there is nothing to picture.
    package var isBroken: Bool {
        switch content {
        case .broken: true
        default: false
        }
    }

    /// What the findings take, and a picture of the surface, if there is to be one; measured, in bytes a triangle and a
    /// pixel.
    /// - Parameter pixels: of the picture; 0 for none.
    package func memory(pixels: Int) -> MemoryEstimate {
        let picture = 170 * pixels
        switch content {
        case .mesh(let loaded):
            // The file is closed by now; while it was read, it and the mesh were there.
            let triangles = loaded.mesh.triangleCount
            let findings = pixels > 0 ? 35 * triangles : 58 * triangles
            return MemoryEstimate(bytes: max(findings + picture, 20 * triangles + loaded.fileBytes))
        case .broken: return MemoryEstimate(bytes: 0)
        case .volumes(let file):
            let largest = file.grids.map(\.byteCount).max() ?? 0
            // A band of four voxels on either side has three triangles for every eight of them.
            let surface = pixels > 0 ? 45 * 3 / 8 * (file.grids.map(\.totals.activeCount).max() ?? 0) : 0
            return MemoryEstimate(bytes: largest + surface + picture, mapped: file.byteCount)
        }
    }

    private static func open(_ path: String, checks: Bool, threads: Int) throws(Failure) -> Content {
        let file = try FileBytes(path: path)
        let isContainer = try file.withBytes { bytes throws(Failure) in
            bytes.starts(with: ContainerFormat.signature.prefix(4))
        }
        if isContainer {
            let problems = checks ? VolumeReport(checking: file).problems : []
            guard problems.isEmpty else { return .broken(problems) }
            return .volumes(try VolumeFile(file))
        }
        return .mesh(try loadMesh(file, path: path, threads: threads))
    }

    /// Reads everything and sums it up.
    /// - Parameter isStrict: whether to complain, too, about what breaks no rule of a format but is likely to trouble
    ///   others: meshes that are not the surface of a solid, values that cannot be distances.
    package func findings(isStrict: Bool, threads: Int) throws(Failure) -> Findings {
        switch content {
        case .volumes(let file): try findings(file, isStrict: isStrict, threads: threads)
        case .mesh(let loaded): findings(loaded, isStrict: isStrict, threads: threads)
        case .broken(let problems): findings(problems)
        }
    }

    private func findings(_ problems: [Failure]) -> Findings {
        let lines = problems.map { $0.place.isEmpty ? $0.message : "\($0.place): \($0.message)" }
        let count = problems.count
        return Findings(
            text: "\(printable(name)): breaks the format in \(count) \(count == 1 ? "place" : "places")",
            json: .object([
                .init("file", .string(name)), .init("type", "volume"),
                .init("problems", .array(lines.map(JSONValue.string))),
            ]),
            complaints: lines)
    }

    private func findings(
        _ file: borrowing VolumeFile, isStrict: Bool, threads: Int
    ) throws(Failure) -> Findings {
        var reports: [Report] = []
        var complaints: [String] = []
        for grid in file.grids {
            let volume = try file.read(grid, threads: threads)
            let values = ValueSummary(
                UnsafeBufferPointer(volume.values.unsafeElements), iso: grid.metadata.isoValue, threads: threads)
            reports.append(grid.report(values: values))
            if isStrict { complaints += grid.oddities(values).map { "grid \"\(grid.metadata.name)\": \($0)" } }
        }
        let count = file.grids.count
        let title = "\(printable(name)): \(byteText(file.byteCount)), \(count) \(count == 1 ? "grid" : "grids")"
        return Findings(
            text: ([title] + reports.map(\.text)).joined(separator: "\n"),
            json: .object([
                .init("file", .string(name)), .init("type", "volume"), .init("bytes", .integer(file.byteCount)),
                .init("grids", .array(reports.map(\.json))),
            ]),
            complaints: complaints)
    }

    private func findings(_ loaded: LoadedMesh, isStrict: Bool, threads: Int) -> Findings {
        let measured = MeshReport(loaded.mesh, threads: threads)
        var report = Report(title: printable(name))
        report.add("file", .string(name))
        report.add("type", "mesh")
        measured.add(to: &report, format: loaded.format)
        report.add("source_hash", label: "hash", loaded.contentHash, .string(loaded.contentHash))
        return Findings(
            text: report.text, json: report.json, complaints: isStrict ? measured.shortcomings : [])
    }

    /// The surface to picture: of a volume, in the cube's coordinates; of a mesh, in its own.
    /// - Throws: `badData` when the grid cannot be read or has no surface to speak of.
    package func surface(grid: String?, threads: Int) throws(Failure) -> TriangleMesh {
        switch content {
        case .mesh(let loaded): return loaded.mesh
        case .broken(let problems): throw problems[0]
        case .volumes(let file):
            let volume = try file.read(file.grid(named: grid), threads: threads)
            do throws(Failure) {
                return try extractSurface(
                    volume, options: ExtractOptions(method: .mc, coordinates: .cube, threads: threads))
            } catch {
                throw error.inFile(name)
            }
        }
    }

    /// A grid's metadata and one plane of its voxels.
    /// - Throws: `usage` for a mesh, or a plane outside the grid; `badData` when the grid cannot be read.
    package func slice(
        grid: String?, axis: Axis, position: Int, threads: Int
    ) throws(Failure) -> (metadata: GridMetadata, slice: VolumeSlice) {
        switch content {
        case .mesh: throw Failure(.usage, file: name, "is a mesh, expected a volume to slice")
        case .broken(let problems): throw problems[0]
        case .volumes(let file):
            let volume = try file.read(file.grid(named: grid), threads: threads)
            do throws(Failure) {
                return (volume.metadata, try volume.slice(axis, at: position))
            } catch {
                throw error.inFile(name)
            }
        }
    }
}
