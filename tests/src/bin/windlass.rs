//! The product's own `main`: see this package's manifest.

fn main() -> std::process::ExitCode {
    windlass::main()
}
