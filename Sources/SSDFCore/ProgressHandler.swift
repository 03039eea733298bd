/// Told how much of a long operation is done; called from any thread, often, and must return quickly.
package typealias ProgressHandler = @Sendable (_ done: Int, _ total: Int) -> Void
