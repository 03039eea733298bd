import SSDFCore
import SSDFNeural

/// Whatever is accepted must be a configuration whose tensors can be listed.
func fuzzConfig(_ bytes: UnsafeRawBufferPointer) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let root = try? ConfigNode(yaml: text) else { return }
    precondition(root.line >= 0)
    guard let config = try? ModelConfig(root) else { return }
    for component in config.components { precondition(!component.name.isEmpty) }
}
