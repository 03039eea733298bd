import CSSDFKernels
import SSDFCore

/// The product of rows, read where they lie, with a packed matrix: in f32, or with both operands rounded to bf16 and
/// sums in f32.
struct RowProduct {
    /// Whether operands are bf16, two in the room of a float.
    let isBrainFloat: Bool
    let kernels: ssdf_product_kernels

    /// Floats that `depth` numbers of a row take.
    func words(_ depth: Int) -> Int { isBrainFloat ? (depth + 1) / 2 : depth }
}

/// Rows as a product reads them.
struct ProductRows {
    let pointer: UnsafePointer<Float>
    /// Floats from a row to the next.
    let stride: Int
    /// Keeps a rounded copy.
    fileprivate let storage: Storage?
}

extension CPUBackend {
    /// The product for results of `columns` columns. With few columns bf16 gains nothing.
    func rowProduct(columns: Int) -> RowProduct {
        if let rounding = roundingProducts, columns > 8 {
            return RowProduct(isBrainFloat: true, kernels: rounding)
        }
        return exactRowProduct(columns: columns)
    }

    /// The same in f32, as gradients are at every precision.
    func exactRowProduct(columns: Int) -> RowProduct {
        let exact = kernels(columns: columns)
        return RowProduct(
            isBrainFloat: false,
            kernels: ssdf_product_kernels(
                packed_count: exact.packed_count, pack: exact.pack, product_rows: exact.product_rows))
    }

    /// x `[rows, depth]` as the product reads it: itself, or a rounded copy.
    func operand(_ x: UnsafePointer<Float>, rows: Int, depth: Int, of product: RowProduct) -> ProductRows {
        guard product.isBrainFloat else { return ProductRows(pointer: x, stride: depth, storage: nil) }
        let stride = product.words(depth)
        let copy = scratch(max(rows * stride, 1))
        let target = copy.pointer
        parallelRows(rows, columns: depth) { range in
            if depth % 2 == 0 {
                ssdf_f32_to_bf16(
                    x + range.lowerBound * depth, target + range.lowerBound * stride, range.count * depth)
            } else {
                for row in range {
                    target[(row + 1) * stride - 1] = 0
                    ssdf_f32_to_bf16(x + row * depth, target + row * stride, depth)
                }
            }
        }
        return ProductRows(pointer: UnsafePointer(target), stride: stride, storage: copy)
    }
}
