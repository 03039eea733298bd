import SSDFCore
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What is in a model folder, compared with what its configuration asks for.
package struct ModelInspection: Sendable {
    /// One component with weights.
    package struct Component: Sendable {
        /// Its name in the configuration.
        package var name: String
        /// Its class, as the reference names it.
        package var className: String
        /// Name of its file in the folder.
        package var fileName: String
        /// Length of the file in bytes; nil when it is not there.
        package var byteCount: Int?
        /// Numbers in all its tensors; of a component without a file, those that it would have.
        package var parameters: Int
        /// Element types and how many numbers are of each, most first.
        package var types: [(type: ElementType, count: Int)] = []
        /// Its tensors against those the configuration asks for; nil without a file.
        package var comparison: TensorComparison?
        /// The licence that its file names; empty where it names none.
        package var license: String
    }

    /// The folder.
    package let path: String
    /// The components that have weights, in the configuration's order.
    package let components: [Component]
    /// Components without weights, such as schedulers.
    package let others: [String]
    /// Keys of the configuration that have no effect.
    package let notes: [String]
    /// "sha256:…", see `ModelDirectory.hash()`.
    package let hash: String
    /// Whether the files are those that `SHA256SUMS` lists; nil when that was not asked.
    package let checksumsHold: Bool?

    /// - Parameter verify: whether to read every file and compare the checksums.
    /// - Throws: `badData` when a file is malformed.
    package init(_ model: ModelDirectory, verify: Bool = false) throws(Failure) {
        path = model.path
        notes = model.config.notes
        others = model.config.components.filter { $0.config.expectedTensors.isEmpty }.map(\.name)
        var components: [Component] = []
        for component in model.config.components {
            if let file = model.weightsPath(of: component.name) {
                components.append(try Self.inspect(component, file: file, in: model))
            }
        }
        self.components = components
        hash = try model.hash()
        checksumsHold = verify ? try Self.verify(model) : nil
    }

    private static func inspect(
        _ component: ModelConfig.Component, file path: String, in model: ModelDirectory
    ) throws(Failure) -> Component {
        var result = Component(
            name: component.name, className: component.config.className,
            fileName: String(path.dropFirst(model.path.count + 1)), parameters: 0,
            license: ReleasedModel.license(of: component.config))
        guard access(path, F_OK) == 0 else {
            result.parameters = component.config.expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
            return result
        }
        let file = try SafetensorsFile(path: path)
        let entries = file.entries
        var shapes: [String: [Int]] = [:]
        var counts: [ElementType: Int] = [:]
        for entry in entries {
            shapes[entry.name] = entry.shape
            counts[entry.type, default: 0] += entry.elementCount
        }
        result.byteCount = file.byteCount
        result.parameters = entries.reduce(0) { $0 + $1.elementCount }
        result.types = counts.map { ($0.key, $0.value) }.sorted {
            ($0.count, $1.type.rawValue) > ($1.count, $0.type.rawValue)
        }
        result.comparison = TensorComparison(
            expected: component.config.adapted { shapes[$0] }.expectedTensors,
            found: entries.map { ($0.name, $0.type, $0.shape) })
        if let stated = file.header.metadata.first(where: { $0.key == "license" }) { result.license = stated.value }
        return result
    }

    private static func verify(_ model: ModelDirectory) throws(Failure) -> Bool {
        let list = try FileBytes(path: "\(model.path)/\(ModelDirectory.checksumsName)")
        let expected = try model.checksums()
        return try list.withBytes { bytes throws(Failure) in bytes.elementsEqual(expected.utf8) }
    }

    /// What does not hold, one line each; components that are not there are no complaint.
    package var complaints: [String] {
        var lines: [String] = []
        for component in components {
            if let comparison = component.comparison, !comparison.isEmpty {
                lines.append("\(component.fileName): tensors do not fit the configuration: \(comparison.summary)")
            }
        }
        if checksumsHold == false {
            lines.append("\(ModelDirectory.checksumsName): the files are not those it lists; sha256sum -c tells which")
        }
        return lines
    }

    /// The findings, for a person and for a program.
    package var report: Report {
        var report = Report(title: path)
        let present = components.filter { $0.byteCount != nil }
        var files: [String: Int] = [:]
        for component in present { files[component.fileName] = component.byteCount }
        report.add("path", .string(path))
        for component in components {
            report.add(component.name, label: component.name, Self.text(component), Self.json(component))
        }
        // Two encoders may share a file: its weights count once.
        var counted: Set<String> = []
        let unique = present.filter { counted.insert($0.fileName).inserted }
        let parameters = unique.reduce(0) { $0 + $1.parameters }
        let bytes = files.values.reduce(0, +)
        report.add("parameters", label: "parameters", grouped(parameters), .integer(parameters))
        report.add("bytes", label: "size", byteText(bytes), .integer(bytes))
        report.add("hash", label: "hash", hash, .string(hash))
        if let checksumsHold {
            report.add("verified", label: "checksums", checksumsHold ? "hold" : "do not hold", .bool(checksumsHold))
        }
        if !others.isEmpty {
            report.add(
                "without_weights", label: "no weights", others.joined(separator: ", "),
                .array(others.map { .string($0) }))
        }
        if !notes.isEmpty {
            report.add("ignored", label: "no effect", notes.joined(separator: "\n"), .array(notes.map { .string($0) }))
        }
        return report
    }

    /// The findings for a program: as the report, with the components under one key.
    package var json: JSONValue {
        guard case .object(let members) = report.json else { return .null }
        let names = Set(components.map(\.name))
        let nested = members.filter { names.contains($0.key) }
        return .object(members.filter { !names.contains($0.key) } + [.init("components", .object(nested))])
    }

    private static func text(_ component: Component) -> String {
        guard let byteCount = component.byteCount else {
            return
                "\(component.className), \(grouped(component.parameters)) parameters: \(component.fileName) is not there"
        }
        let types = component.types.map { type, count in
            count == component.parameters ? type.rawValue : "\(type.rawValue) (\(grouped(count)))"
        }
        var lines = [
            "\(component.className), \(grouped(component.parameters)) parameters, \(types.joined(separator: " and ")), "
                + "\(byteText(byteCount)), licence \(component.license)"
        ]
        if let comparison = component.comparison, !comparison.isEmpty { lines.append(comparison.summary) }
        return lines.joined(separator: "\n")
    }

    private static func json(_ component: Component) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("class", .string(component.className)), .init("file", .string(component.fileName)),
            .init("present", .bool(component.byteCount != nil)), .init("parameters", .integer(component.parameters)),
            .init("license", .string(component.license)),
        ]
        if let byteCount = component.byteCount { members.append(.init("bytes", .integer(byteCount))) }
        members.append(
            .init("types", .object(component.types.map { .init($0.type.rawValue, .integer($0.count)) })))
        if let comparison = component.comparison {
            members.append(.init("missing", .array(comparison.missing.map { .string($0) })))
            members.append(.init("unexpected", .array(comparison.unexpected.map { .string($0) })))
            members.append(
                .init(
                    "mismatched",
                    .array(
                        comparison.mismatched.map {
                            .object([
                                .init("name", .string($0.name)), .init("found", .string($0.found)),
                                .init("expected", .string($0.expected)),
                            ])
                        })))
        }
        return .object(members)
    }
}
