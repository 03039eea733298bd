import SSDFCore

/// What a grid's values are like.
package struct ValueSummary: Sendable, Equatable {
    /// Bins of the histogram.
    package static let bins = 24

    /// Smallest and largest finite value; both 0 when there is none.
    package private(set) var minimum = 0.0
    package private(set) var maximum = 0.0
    /// Values that are not finite.
    package private(set) var notFinite = 0
    /// Values below the iso value: inside.
    package private(set) var below = 0
    /// `[bins]`: how many values lie in each of equal parts of minimum … maximum.
    package private(set) var histogram = [Int](repeating: 0, count: bins)

    /// - Complexity: O(values).
    package init(_ values: UnsafeBufferPointer<Float>, iso: Double, threads: Int) {
        let grain = 1 << 18
        let count = values.count
        let chunks = (count + grain - 1) / grain
        let input = Unchecked(values)
        let ranges = parallelMap(chunks, threads: threads) { chunk in
            var (low, high) = (Float.infinity, -Float.infinity)
            for value in input.value[chunk * grain..<min(count, (chunk + 1) * grain)] where value.isFinite {
                low = min(low, value)
                high = max(high, value)
            }
            return (low, high)
        }
        let low = ranges.map(\.0).min() ?? .infinity
        let high = ranges.map(\.1).max() ?? -.infinity
        if low <= high {
            minimum = Double(low)
            maximum = Double(high)
        }
        let (start, level) = (low, iso)
        let scale = high > low ? Float(Self.bins) / (high - low) : 0
        let parts = parallelMap(chunks, threads: threads) { chunk in
            var part = (notFinite: 0, below: 0, histogram: [Int](repeating: 0, count: Self.bins))
            for value in input.value[chunk * grain..<min(count, (chunk + 1) * grain)] {
                guard value.isFinite else {
                    part.notFinite += 1
                    continue
                }
                if Double(value) < level { part.below += 1 }
                part.histogram[min(Self.bins - 1, Int((value - start) * scale))] += 1
            }
            return part
        }
        for part in parts {
            notFinite += part.notFinite
            below += part.below
            for bin in 0..<Self.bins { histogram[bin] += part.histogram[bin] }
        }
    }

    /// The histogram as lines of text, one a bin.
    var histogramText: String {
        let most = max(1, histogram.max() ?? 1)
        let step = (maximum - minimum) / Double(Self.bins)
        return histogram.enumerated().map { bin, count in
            let eighths = (count * 40 * 8 + most - 1) / most
            let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
            let bar = String(repeating: "█", count: eighths / 8) + partial
            let edge = minimum + step * Double(bin)
            // The rounding of a sum is not a value.
            let from = rounded(abs(edge) < step * 1e-5 ? 0 : edge, digits: 4)
            return String(repeating: " ", count: max(0, 10 - from.count)) + from + " " + bar
        }.joined(separator: "\n")
    }
}

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
