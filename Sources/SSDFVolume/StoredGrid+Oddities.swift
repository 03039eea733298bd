import SSDFCore

extension StoredGrid {
    /// What is odd about a grid that breaks no rule of the format, one line each; empty when nothing is.
    package func oddities(_ values: ValueSummary) -> [String] {
        var lines: [String] = []
        if values.notFinite > 0 { lines.append("\(grouped(values.notFinite)) values are not finite, expected 0") }
        let limit = metadata.truncation * (1 + 1e-5) + totals.errorBound
        let reach = max(abs(values.minimum), abs(values.maximum))
        if metadata.truncation > 0, reach > limit {
            lines.append("a value lies \(reach) from 0, expected at most the truncation, \(metadata.truncation)")
        }
        if metadata.kind == .sdf, totals.activeCount > 0, values.minimum >= metadata.isoValue {
            lines.append("no value is inside, expected some below \(metadata.isoValue)")
        }
        return lines
    }
}
