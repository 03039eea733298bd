import FixtureMeshes
import Foundation
import SSDFCore
import SSDFTensor
import Testing

/// Every recorded case of a folder, on the engine: a new case is a new file there.
///
/// The folder is Fixtures/parity; SSDF_PARITY names another; a shared folder beside the checkout is used too when it
/// is there. Results are held to 1e-5, ten times closer than the sidecars allow: with random weights a wrong ε or the
/// wrong GELU can hide below 1e-4.
@Suite struct ParityTests {
    static let strictTolerance = 1e-5
    static let gradientTolerance = 1e-3

    struct Sidecar: Sendable, CustomTestStringConvertible {
        let url: URL
        var testDescription: String { url.deletingPathExtension().lastPathComponent }
    }

    static let sidecars: [Sidecar] = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        var folders = [root.appendingPathComponent("Fixtures/parity")]
        if let other = ProcessInfo.processInfo.environment["SSDF_PARITY"] {
            folders = [URL(fileURLWithPath: other)]
        } else if let shared = SharedData.folder("parity") {
            folders.append(URL(fileURLWithPath: shared))
        }
        return folders.flatMap { folder in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.filter { $0.hasSuffix(".json") }.sorted().map {
                Sidecar(url: folder.appendingPathComponent($0))
            }
        }.filter { isCase($0.url) }
    }()

    /// Folders hold other JSON files too: those without a class are not cases.
    private static func isCase(_ url: URL) -> Bool {
        guard let data = try? Data(contentsOf: url),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { return false }
        return object["reference_class"] != nil
    }

    /// Folders of pictures, each with its index: those beside the cases.
    static let pictureFolders = Set(sidecars.map { $0.url.deletingLastPathComponent() })
        .map { $0.appendingPathComponent("g_images") }
        .filter { FileManager.default.fileExists(atPath: $0.appendingPathComponent("index.json").path) }
        .sorted { $0.path < $1.path }

    @Test func findsCases() { #expect(!Self.sidecars.isEmpty) }

    @Test(arguments: sidecars) func reproduces(_ sidecar: Sidecar) throws {
        let parity = try ParityCase(sidecar: sidecar.url)
        guard let module = ParityModule.named(parity.referenceClass) else {
            Issue.record("\(parity.name): unknown class \"\(parity.referenceClass)\"")
            return
        }
        let results = try module.run(parity, Compute(threads: 2))
        for name in parity.expected {
            guard let result = results[name] else {
                #expect(!name.hasPrefix("out."), "\(parity.name): \(name) was not computed")
                print("parity \(parity.name): \(name) not compared")
                continue
            }
            compare(name, result, parity)
        }
        for name in results.keys where parity.floats[name] == nil && parity.integers[name] == nil {
            print("parity \(parity.name): \(name) computed but not recorded")
        }
    }

    private func compare(_ name: String, _ result: ParityValue, _ parity: ParityCase) {
        switch result {
        case .integers(let values):
            let expected = parity.integers[name]?.values
            let wrong = zip(values, expected ?? []).count { $0 != $1 }
            print("parity \(parity.name): \(name) \(wrong) of \(values.count) integers differ")
            #expect(values == expected, "\(parity.name): \(name)")
        case .points(let points, let tolerance):
            let recorded = parity.floats[name]?.array ?? []
            let lost = max(
                unmatched(recorded, in: points, within: tolerance), unmatched(points, in: recorded, within: tolerance))
            print("parity \(parity.name): \(name) \(lost) of \(points.count / 3) points without a partner")
            #expect(lost == 0 && !points.isEmpty, "\(parity.name): \(name)")
        case .numbers(let numbers, let relative):
            let recorded = parity.floats[name]?.array ?? []
            let errors = zip(numbers, recorded).map { abs($0 / Double($1) - 1) }
            print("parity \(parity.name): \(name) errors \(errors)")
            #expect(
                numbers.count == recorded.count && errors.allSatisfy { $0 <= relative },
                "\(parity.name): \(name) \(errors)")
        case .floats(let tensor):
            guard let expected = parity.floats[name] else {
                Issue.record("\(parity.name): \(name) is not recorded as real numbers")
                return
            }
            let parameter = name.hasPrefix("grad.w.") ? String(name.dropFirst(7)) : ""
            if parity.zeroGradients.contains(parameter) {
                let largest = tensor.elements.reduce(0) { max($0, abs($1)) }
                print("parity \(parity.name): \(name) largest \(largest), analytically 0")
                #expect(largest < 1e-6, "\(parity.name): \(name)")
                return
            }
            let error = relativeError(tensor, expected)
            print("parity \(parity.name): \(name) error \(error)")
            let strict = min(parity.tolerance, Self.strictTolerance)
            let allowed = name.hasPrefix("grad.") ? Self.gradientTolerance : strict
            #expect(tensor.count == expected.count && error <= allowed, "\(parity.name): \(name) error \(error)")
        }
    }
}

/// How many points have none of others so near along every axis.
private func unmatched(_ points: [Float], in others: [Float], within tolerance: Double) -> Int {
    let order = stride(from: 0, to: others.count, by: 3).sorted { others[$0] < others[$1] }
    let reach = Float(tolerance)
    return stride(from: 0, to: points.count, by: 3).count { point in
        // The first whose x is near enough.
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if others[order[middle]] < points[point] - reach { low = middle + 1 } else { high = middle }
        }
        while low < order.count, others[order[low]] <= points[point] + reach {
            let isNear = (1...2).allSatisfy { abs(others[order[low] + $0] - points[point + $0]) <= reach }
            if isNear { return false }
            low += 1
        }
        return true
    }
}

/// ‖a − b‖ / ‖b‖ over all elements; ∞ when their numbers differ or either is not finite.
func relativeError(_ a: Tensor, _ b: Tensor) -> Double {
    guard a.count == b.count else { return .infinity }
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(a.elements, b.elements) {
        difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
        norm += Double(y) * Double(y)
    }
    let error = norm > 0 ? (difference / norm).squareRoot() : difference.squareRoot()
    return error.isFinite ? error : .infinity
}
