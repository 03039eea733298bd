import CSSDFKernels
import SSDFCore

extension CPUBackend {
    /// totals[i] = Σ parts[j][i] over j, in the order of j; absent ones are zero. One loop over all of it, so that many
    /// small tensors are shared out as well as a large one.
    package func addUp(_ parts: [[Tensor?]], into totals: [Tensor]) {
        let size = 8 << 10
        var pieces: [(tensor: Int, start: Int)] = []
        for (index, total) in totals.enumerated() {
            for start in stride(from: 0, to: total.count, by: size) { pieces.append((index, start)) }
        }
        parallel(pieces.count) { _, range in
            for (index, start) in pieces[range] {
                let count = min(size, totals[index].count - start)
                let target = totals[index].pointer + start
                var isEmpty = true
                for part in parts {
                    guard let tensor = part[index] else { continue }
                    if isEmpty {
                        target.update(from: tensor.pointer + start, count: count)
                    } else {
                        kernels.add(target, tensor.pointer + start, 1, Int32(SSDF_SAME.rawValue), target, 1, count)
                    }
                    isEmpty = false
                }
                if isEmpty { target.update(repeating: 0, count: count) }
            }
        }
    }
}
