import SSDFCore

extension StoredGrid {
    /// What a person or a program wants to know of a grid.
    /// - Parameter values: nil when only the header is to be told.
    package func report(values: ValueSummary?) -> Report {
        let meta = metadata
        var report = Report(title: "grid \"\(meta.name)\"")
        report.add("name", .string(meta.name))
        report.add(
            "kind", label: "kind",
            "\(meta.kind.name), \(meta.channels) \(meta.channels == 1 ? "channel" : "channels")",
            .string(meta.kind.name))
        report.add("channels", .integer(meta.channels))
        report.add(
            "resolution", label: "resolution", meta.resolution == 0 ? "none" : "\(meta.resolution)",
            .integer(meta.resolution))
        report.add("voxel_size", label: "voxel size", rounded(meta.voxelSize), .number(meta.voxelSize))
        let capacity = totals.brickCount * 512
        let share = capacity > 0 ? Double(totals.activeCount) / Double(capacity) * 100 : 0
        report.add(
            "active_voxels", label: "active voxels",
            "\(grouped(totals.activeCount)) in \(grouped(totals.brickCount)) bricks (\(rounded(share, digits: 3)) % of them)",
            .integer(totals.activeCount))
        report.add("bricks", .integer(totals.brickCount))
        addStorage(to: &report)
        addMeaning(to: &report)
        if let values { add(values, to: &report) }
        addOrigin(to: &report)
        return report
    }

    private func addStorage(to report: inout Report) {
        let channels = metadata.channels
        let plain = totals.activeCount * channels * header.dtype.size + totals.brickCount * 76
        let ratio = totals.storedBytes > 0 ? Double(plain) / Double(totals.storedBytes) : 1
        let each = totals.activeCount > 0 ? Double(totals.storedBytes) / Double(totals.activeCount) : 0
        report.add(
            "stored_bytes", label: "stored",
            "\(byteText(totals.storedBytes)), \(rounded(each, digits: 3)) bytes an active voxel",
            .integer(totals.storedBytes))
        report.add(
            "codec", label: "coding",
            "\(header.dtype.name), \(header.codec.name), ratio \(rounded(ratio, digits: 3))", .string(header.codec.name)
        )
        report.add("dtype", .string(header.dtype.name))
        report.add("codec_ratio", .number(ratio))
        report.add("bytes_per_active_voxel", .number(each))
        report.add("error_bound", label: "error bound", rounded(totals.errorBound), .number(totals.errorBound))
    }

    private func addMeaning(to report: inout Report) {
        let meta = metadata
        report.add("iso_value", label: "iso value", rounded(meta.isoValue), .number(meta.isoValue))
        report.add("truncation", label: "truncation", rounded(meta.truncation), .number(meta.truncation))
        report.add("background", label: "background", rounded(meta.background), .number(meta.background))
        report.add(
            "sign_method", label: "sign",
            "\(meta.signMethod.name), confidence \(rounded(meta.signConfidence, digits: 4))",
            .string(meta.signMethod.name))
        report.add("sign_confidence", .number(meta.signConfidence))
        report.add("index_to_world", .array(meta.indexToWorld.rows.map(JSONValue.number)))
        report.add("world_to_source", .array(meta.worldToSource.rows.map(JSONValue.number)))
        report.add("unit", label: "unit", meta.unit.isEmpty ? "not stated" : meta.unit, .string(meta.unit))
    }

    private func add(_ values: ValueSummary, to report: inout Report) {
        let total = max(1, values.histogram.reduce(values.notFinite, +))
        report.add(
            "minimum", label: "values",
            "\(rounded(values.minimum)) … \(rounded(values.maximum))"
                + (values.notFinite > 0 ? ", \(grouped(values.notFinite)) not finite" : ""), .number(values.minimum))
        report.add("maximum", .number(values.maximum))
        report.add("not_finite", .integer(values.notFinite))
        if metadata.kind == .sdf {
            let inside = Double(values.below) / Double(total) * 100
            report.add("inside", label: "inside", "\(rounded(inside, digits: 4)) % of values", .integer(values.below))
        }
        report.add(
            "histogram", label: "histogram", values.histogramText,
            .array(values.histogram.map(JSONValue.integer)))
    }

    private func addOrigin(to report: inout Report) {
        let meta = metadata
        report.add("tool", label: "made by", meta.tool.isEmpty ? "not stated" : meta.tool, .string(meta.tool))
        let arguments = meta.arguments.joined(separator: " ")
        report.add(
            "arguments", label: "arguments", arguments.isEmpty ? "none" : arguments,
            .array(meta.arguments.map(JSONValue.string)))
        report.add("seed", .string("\(meta.seed)"))
        report.add(
            "source_hash", label: "source", meta.sourceHash.isEmpty ? "not stated" : meta.sourceHash,
            .string(meta.sourceHash))
        if !meta.modelHash.isEmpty { report.add("model_hash", label: "model", meta.modelHash, .string(meta.modelHash)) }
    }
}
