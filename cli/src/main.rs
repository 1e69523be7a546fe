//! The `windlass` command: see the library.

fn main() -> std::process::ExitCode {
    windlass::main()
}
