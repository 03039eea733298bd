import SSDFCommand
import SSDFCore
import SSDFTraining

/// Means over shapes, and the worst of them.
func text(_ trips: [(name: String, score: RoundTripScore)], _ pictures: [PictureScore]) -> String {
    var report = Report(title: "\(max(trips.count, pictures.count)) shapes")
    func mean<Item>(_ items: [Item], digits: Int = 4, _ value: (Item) -> Double) -> String {
        rounded(items.reduce(0) { $0 + value($1) } / Double(items.count), digits: digits)
    }
    if !trips.isEmpty {
        report.add("f1", label: "round trip, F-score at 1 voxel", mean(trips) { $0.score.fScore }, .null)
        report.add("fhalf", label: "F-score at half a voxel", mean(trips) { $0.score.fScoreAtHalf }, .null)
        report.add("iou", label: "volumetric IoU", mean(trips) { $0.score.overlap }, .null)
        report.add("error", label: "mean error (voxels)", mean(trips) { $0.score.error }, .null)
        report.add("closed", label: "closed, oriented, manifold", mean(trips) { $0.score.isClosed ? 1 : 0 }, .null)
        let worst = trips.sorted { $0.score.fScore < $1.score.fScore }.prefix(5)
        report.add(
            "worst", label: "worst",
            worst.map { "\($0.name) \(rounded($0.score.fScore, digits: 4))" }.joined(separator: "\n"), .null)
    }
    let structures = pictures.compactMap(\.structure)
    if !structures.isEmpty {
        report.add("structure", label: "picture to cells, IoU", mean(structures) { $0 }, .null)
    }
    for (key, label, list) in [
        ("generated", "picture to shape", pictures.compactMap(\.generated)),
        ("on_truth", "on the true cells", pictures.compactMap(\.onTruth)),
    ] where !list.isEmpty {
        report.add(key + "_iou", label: "\(label), volumetric IoU at 64³", mean(list, \.overlap), .null)
        report.add(key + "_identified", label: "identified", mean(list) { $0.isIdentified ? 1 : 0 }, .null)
        report.add(key + "_closed", label: "closed, oriented, manifold", mean(list) { $0.isClosed ? 1 : 0 }, .null)
    }
    return report.text
}

/// A list of the shapes with all numbers.
func jsonText(_ trips: [(name: String, score: RoundTripScore)], _ pictures: [PictureScore]) -> String {
    func members(_ score: GenerationScore) -> JSONValue {
        .object([
            .init("iou", .number(score.overlap)), .init("distance", .number(score.distance)),
            .init("identified", .bool(score.isIdentified)), .init("closed", .bool(score.isClosed)),
        ])
    }
    return JSONValue.array(
        (0..<max(trips.count, pictures.count)).map { index in
            var all: [JSONValue.Member] = [
                .init("name", .string(index < trips.count ? trips[index].name : pictures[index].name))
            ]
            if index < trips.count {
                let score = trips[index].score
                all += [
                    .init("f_score", .number(score.fScore)), .init("f_score_half", .number(score.fScoreAtHalf)),
                    .init("iou", .number(score.overlap)), .init("error_voxels", .number(score.error)),
                    .init("closed", .bool(score.isClosed)), .init("wrong_signs", .integer(score.wrongSigns)),
                    .init("tokens", .integer(score.tokens)),
                ]
            }
            if index < pictures.count {
                let score = pictures[index]
                if let structure = score.structure { all.append(.init("structure_iou", .number(structure))) }
                if let generated = score.generated { all.append(.init("generated", members(generated))) }
                if let onTruth = score.onTruth { all.append(.init("on_true_structure", members(onTruth))) }
            }
            return .object(all)
        }
    ).description
}
