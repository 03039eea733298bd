/// The version of ssdf, as `--version` prints it and files record it.
package let ssdfVersion = "0.1.0"
